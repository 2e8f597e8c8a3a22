"""Everything that the explorer holds, data file by data file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from protsae.explorer.attribution import Attributed
from protsae.explorer.concepts import concept_files
from protsae.explorer.config import ExplorerConfig
from protsae.explorer.folder import SitePlan
from protsae.explorer.latents import DataFile, latent_files
from protsae.explorer.overview import index, overview
from protsae.explorer.prediction import prediction_files
from protsae.explorer.proteins import pages, protein_files
from protsae.explorer.search import search
from protsae.explorer.steering import Steered
from protsae.explorer.structures import read_structures
from protsae.explorer.tables import ExplorerTables
from protsae.prediction.result import RECORD_NAME, Prediction
from protsae.reporting.config import ReportTexts
from protsae.reporting.sources import with_sources


@dataclass(frozen=True)
class Given:
    """What there may be beside the tables of a run; None: it is not there."""

    raw_structures: Path | None = None
    """Folder of PDB and mmCIF files."""
    predicted: Path | None = None
    """Folder of the pipeline prediction. An unfinished one is left out, and so are those below."""
    steered: Path | None = None
    """Folder of the pipeline steering."""
    steered_structures: Path | None = None
    """Its table of structures."""
    attributed: Path | None = None
    """Folder of the pipeline attribution."""
    steering_arms: Path | None = None
    """Table of arms, see docs/steering.md."""
    steering_doses: Path | None = None
    """Table of arms by strength."""


def plan_site(
    tables: ExplorerTables, texts: ReportTexts, config: ExplorerConfig, made: Given | None = None
) -> SitePlan:
    """Return the plan of the explorer's folder.

    Args:
        tables: the tables of the run.
        texts: title and what only people can say of data and model.
        config: what the explorer holds.
        made: what there is beside them.

    Raises:
        InputError: see `proteins.pages` and `structures.read_structures`; or something given is damaged.
    """
    made = made or Given()
    pages(tables, config)
    subject = tables.of[tables.dictionaries.subject].sae_checkpoint
    known = with_sources(texts, tables.data_sources, subject.metadata)
    title = config.title or texts.title
    proteins = tables.proteins
    given = read_structures(
        made.raw_structures, proteins["protein_id"], proteins["sequence"], config.min_identity
    )
    predicted = None
    if made.predicted is not None and (made.predicted / RECORD_NAME).is_file():
        predicted = Prediction(made.predicted)
    attributed = Attributed(tables, made.attributed)
    steered = Steered(
        tables,
        config.max_designs,
        made.steered,
        made.steering_arms,
        made.steering_doses,
        made.steered_structures,
    )
    has = {
        "prediction": predicted is not None,
        "structures": bool(given.paths),
        "explanations": any(own.explanations is not None for own in tables.of.values()),
        "steering": steered.has_designs,
        "arms": steered.has_arms,
        "attribution": attributed.is_there,
    }

    def files() -> Iterator[DataFile]:
        yield "index", {**index(tables, known, title, has), "unmatched_structures": list(given.unmatched)}
        yield "overview", overview(tables)
        yield from latent_files(tables)
        yield from concept_files(tables, config.max_missing)
        yield from protein_files(tables, config, given.of_protein, attributed)
        yield from given.files()
        yield from prediction_files(tables, predicted, attributed)
        yield from steered.files()
        yield from attributed.files()
        yield "search", search(tables)

    return SitePlan(title, files)
