"""Prediction without a pipeline: proteins in, tables out."""

import shutil
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
        cleaned = {name: read_proteins(None, text).sequences[0] for name, text in proteins.items()}
        if not cleaned:
            raise InputError("no protein is given: give a sequence, sequences by id, or a file")
        return Proteins(tuple(cleaned), ("",) * len(cleaned), tuple(cleaned.values()), {})
    if isinstance(proteins, Path):
        return read_proteins(proteins, None)
    return read_proteins(None, proteins)
