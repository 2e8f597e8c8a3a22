"""Prediction without a pipeline: proteins in, tables out."""

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from weakref import finalize

from protsae.activations.config import ExtractionConfig
from protsae.core.errors import InputError
from protsae.prediction.config import PredictionConfig
from protsae.prediction.plan import plan_prediction
from protsae.prediction.proteins import Proteins, read_proteins
from protsae.prediction.result import Prediction
from protsae.prediction.variants import Variant, read_variants
from protsae.release import Release, open_release
from protsae.sequences.fasta import FastaRecord, clean_record
from protsae.sequences.records import RecordsConfig


def predict_proteins(
    proteins: str | Path | Mapping[str, str],
    release: str | Path | Release,
    *,
    variants: str | Path | None = None,
    folder: str | Path | None = None,
    plm: str | Path | None = None,
    **settings: Any,
) -> Prediction:
    """Predict proteins; see `protsae.api.predict`."""
    given = _given(proteins)
    config = PredictionConfig(**settings)
    compared: list[Variant] = []
    if variants is not None:
        compared, given = read_variants(Path(variants), given, config.variants_compared.score_column)
    opened = release if isinstance(release, Release) else open_release(release)
    extraction = ExtractionConfig(hook_point=opened.record.hook_point)
    plan = plan_prediction(opened, given, compared, extraction, config, plm)
    target = Path(mkdtemp(prefix="protsae-prediction-")) if folder is None else Path(folder)
    try:
        plan.run(target)
        found = Prediction(target)
    except BaseException:
        if folder is None:
            shutil.rmtree(target)
        raise
    if folder is None:
        finalize(found, shutil.rmtree, target)
    return found


def _given(proteins: str | Path | Mapping[str, str]) -> Proteins:
    """Return proteins by id, those of a file, or one as text."""
    if isinstance(proteins, Mapping):
        if not proteins:
            raise InputError("no protein is given: give a sequence, sequences by id, or a file")
        if wrong := [name for name in proteins if not name.strip() or ";" in name or not name.isprintable()]:
            raise InputError(f"id {wrong[0]!r} of a protein is blank, or holds ';' or a control character")
        counts: Counter[str] = Counter()
        texts = [
            clean_record(lambda _: "sequences", FastaRecord(name, "", text), RecordsConfig(), counts).sequence
            for name, text in proteins.items()
        ]
        return Proteins(tuple(proteins), ("",) * len(texts), tuple(texts), dict(counts))
    if isinstance(proteins, Path):
        return read_proteins(proteins, None)
    return read_proteins(None, proteins)
