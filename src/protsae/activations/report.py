"""What an extraction holds, what it left out, and whether a few dimensions dominate it."""

import logging
from typing import Any

import numpy as np

from protsae.activations.reader import ActivationStore

_LOGGER = logging.getLogger(__name__)


def extraction_report(store: ActivationStore, outlier_warning: float) -> dict[str, Any]:
    """Count proteins and rows, and give the moments of every hook point over all stored proteins.

    Args:
        store: a complete extraction.
        outlier_warning: warn where the outlier ratio of a hook point is above this.

    Returns:
        `model`, `dtype`, `arithmetic`, `devices`, `rows`, `shards`, `bytes`, `proteins` (the manifest's
        counts), and `hook_points`: per name `mean_norm` (||mean||), `total_variance`, `outlier_ratio`
        (||mean|| / ||std||) and, where the arithmetic is not fair-esm's, `error`: the worst over one
        protein of each shard, `relative` and `largest` (see `manifest.MeasuredError`).
    """
    manifest = store.manifest
    moments: dict[str, dict[str, Any]] = {}
    for name in store.hook_points:
        found = store.statistics(name, store.protein_ids)
        moments[name] = {
            "mean_norm": float(np.linalg.norm(found.mean)),
            "total_variance": found.total_variance,
            "outlier_ratio": found.outlier_ratio,
        }
        errors = [shard.error[name] for shard in manifest.shards if shard.error]
        if errors:
            moments[name]["error"] = {
                "relative": max(error.relative for error in errors),
                "largest": max(error.largest for error in errors),
            }
        if found.outlier_ratio > outlier_warning:
            _LOGGER.warning(
                "%s: the mean is %.3g times as long as the standard deviations, above outlier_warning %g: "
                "a few dimensions dominate and latents tend to die; another hook point may train better",
                name,
                found.outlier_ratio,
                outlier_warning,
            )
    return {
        "model": manifest.model.name,
        "dtype": manifest.dtype,
        "arithmetic": manifest.arithmetic,
        "devices": sorted({shard.device for shard in manifest.shards}),
        "rows": manifest.rows,
        "shards": len(manifest.shards),
        "bytes": sum(shard.n_bytes for shard in manifest.shards),
        "proteins": manifest.proteins.model_dump(),
        "hook_points": moments,
    }
