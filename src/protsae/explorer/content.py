"""Everything that the explorer holds, data file by data file."""

from collections.abc import Iterator
from pathlib import Path

from protsae.explorer.concepts import concept_files
from protsae.explorer.config import ExplorerConfig
from protsae.explorer.folder import SitePlan
from protsae.explorer.latents import DataFile, latent_files
from protsae.explorer.overview import index, overview
from protsae.explorer.prediction import prediction_files
from protsae.explorer.proteins import pages, protein_files
from protsae.explorer.search import search
from protsae.explorer.structures import read_structures
from protsae.explorer.tables import ExplorerTables
from protsae.prediction.result import RECORD_NAME, Prediction
from protsae.reporting.config import ReportTexts
from protsae.reporting.sources import with_sources


def plan_site(
    tables: ExplorerTables,
    texts: ReportTexts,
    config: ExplorerConfig,
    structures: Path | None = None,
    prediction: Path | None = None,
) -> SitePlan:
    """Return the plan of the explorer's folder.

    Args:
        tables: the tables of the run.
        texts: title and what only people can say of data and model.
        config: what the explorer holds.
        structures: folder of PDB and mmCIF files; None: not given.
        prediction: folder of the pipeline prediction; None: not given. An unfinished one is left out.

    Raises:
        InputError: see `proteins.pages` and `structures.read_structures`; or the prediction is damaged.
    """
    pages(tables, config)
    subject = tables.of[tables.dictionaries.subject].sae_checkpoint
    known = with_sources(texts, tables.data_sources, subject.metadata)
    title = config.title or texts.title
    proteins = tables.proteins
    given = read_structures(structures, proteins["protein_id"], proteins["sequence"], config.min_identity)
    predicted = None
    if prediction is not None and (prediction / RECORD_NAME).is_file():
        predicted = Prediction(prediction)
    has = {
        "prediction": predicted is not None,
        "structures": bool(given.paths),
        "explanations": any(own.explanations is not None for own in tables.of.values()),
    }

    def files() -> Iterator[DataFile]:
        yield "index", {**index(tables, known, title, has), "unmatched_structures": list(given.unmatched)}
        yield "overview", overview(tables)
        yield from latent_files(tables)
        yield from concept_files(tables, config.max_missing)
        yield from protein_files(tables, config, given.of_protein)
        yield from given.files()
        yield from prediction_files(tables, predicted)
        yield "search", search(tables)

    return SitePlan(title, files)
