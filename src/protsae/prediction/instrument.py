"""A release made ready: sequences in, activations and codes of whole proteins out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.activations.config import ExtractionConfig
from protsae.activations.passes import Passes
from protsae.activations.pieces import n_kept
from protsae.activations.schema import vectors_to_numpy
from protsae.activations.shard import Recipe, ShardJob, compute_shard
from protsae.core.pooling import POOLINGS
from protsae.encoding.batches import ProteinBatch, Residues, protein_batches
from protsae.encoding.reading import BatchEncoding, encode_batch
from protsae.plm.checkpoint import PlmModel
from protsae.prediction.config import PredictionConfig
from protsae.prediction.scoring import Scorers
from protsae.release import Release
from protsae.sae.base import SparseAutoencoder

_LATENT_COLUMNS = ("kind", "concept_id", "name", "max_act", "best_concept_name", "sentence", "confidence")


class Instrument:
    """Dictionary, language model and tables of a release, loaded when first needed. Picklable.

    Args:
        release: the release.
        model: its language model.
        extraction: how activations are computed; `hook_point` is where the dictionary is applied.
        config: how much is kept.
    """

    def __init__(
        self, release: Release, model: PlmModel, extraction: ExtractionConfig, config: PredictionConfig
    ) -> None:
        self.release, self.model, self.extraction, self.config = release, model, extraction, config
        self.passes = Passes(model, extraction, extraction.captured)

    @cached_property
    def sae(self) -> SparseAutoencoder:
        """The dictionary."""
        return self.release.load_sae()

    @cached_property
    def scorers(self) -> Scorers:
        """How concepts are scored."""
        return Scorers(self.release.concept_scorers, self.release.concepts)

    @cached_property
    def latents(self) -> pd.DataFrame:
        """One row per latent: `_LATENT_COLUMNS`, missing where the release does not know."""
        d_sae, known = self.sae.config.d_sae, pd.DataFrame()
        if self.release.has("latents"):
            known = self.release.latents.set_index("latent").reindex(range(d_sae))
        columns = {
            column: known[column].to_numpy() if column in known else np.full(d_sae, None)
            for column in _LATENT_COLUMNS
        }
        columns["max_act"] = columns["max_act"].astype(np.float64)
        return pd.DataFrame({"latent": np.arange(d_sae), **columns})

    def prepare(self) -> None:
        """Load everything now, because threads may not do it at the same time."""
        self.scorers, self.latents  # noqa: B018

    def strength(self, largest: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return activations [..., d_sae] as shares of each latent's maximum on record; NaN if unknown."""
        maxima = self.latents["max_act"].to_numpy()
        found: NDArray[np.float64] = largest / np.where(maxima > 0, maxima, np.nan)
        return found

    def activations(self, sequences: Mapping[str, str]) -> Iterator[ProteinBatch]:
        """Yield the residues of some proteins, a few whole proteins at a time.

        They are those that an extraction with these settings stores, in its type.

        Raises:
            InputError: see `activations.shard.compute_shard`.
        """
        rows = tuple(n_kept(len(sequence), self.extraction) for sequence in sequences.values())
        job = ShardJob(0, tuple(sequences), tuple(sequences.values()), rows, "")
        footer = {"model": self.model.name}
        recipe = Recipe(self.extraction, self.extraction.captured, self.model.d_model, footer)
        table = compute_shard(job, recipe, self.passes)
        source = _Memory(
            job.protein_ids, rows, table["residue_index"].to_numpy(), vectors_to_numpy(table[self.hook_point])
        )
        return protein_batches(
            source, self.hook_point, dict.fromkeys(sequences, ""), self.config.residues_per_batch
        )

    def encode(self, batch: ProteinBatch) -> BatchEncoding:
        """Return what the dictionary makes of a batch of `activations`."""
        import torch

        d_sae, latents = self.sae.config.d_sae, self.scorers.rows.get("latent")
        left_out = [f"{pooling}_gated" for pooling in POOLINGS]
        if latents is None or not latents["pooling"].eq("top").any():
            left_out.append("top_latents")
        with torch.inference_mode():
            return encode_batch(self.sae, batch, np.zeros((d_sae, 2)), np.zeros(d_sae, np.int64), left_out)

    @property
    def hook_point(self) -> str:
        """Where the dictionary is applied."""
        return self.extraction.hook_point


class _Memory:
    """Activations of one shard, as `encoding.batches.ProteinSource`."""

    def __init__(
        self,
        protein_ids: Sequence[str],
        rows: Sequence[int],
        index: NDArray[np.int64],
        values: NDArray[np.floating[Any]],
    ) -> None:
        self._ids, self._rows, self._index, self._values = protein_ids, rows, index, values

    def iter_residues(self, hook_point: str, protein_ids: Sequence[str]) -> Iterable[Residues]:
        """Yield all proteins."""
        end = 0
        for name, n_rows in zip(self._ids, self._rows, strict=True):
            start, end = end, end + n_rows
            yield name, self._index[start:end], self._values[start:end].astype(np.float32)

    def statistics(self, hook_point: str, protein_ids: Sequence[str]) -> Any:
        """Not needed: the release knows the mean."""
        raise NotImplementedError
