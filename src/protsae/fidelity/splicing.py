"""Cross-entropy of masked residues when the values at a hook point are replaced.

Values are replaced at residues only: start and end tokens keep theirs. All conditions continue from the same
run up to the hook point, so that without a replacement the result is the same to the last bit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from protsae.activations.reader import ActivationStore
from protsae.core.devices import pick_device
from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.core.progress import track
from protsae.fidelity.config import PassesConfig
from protsae.fidelity.sequences import PROTEIN
from protsae.plm.batching import token_budget_batches
from protsae.plm.checkpoint import PlmModel
from protsae.plm.forward import Esm2Forward
from protsae.plm.windows import windows_of
from protsae.probing.splits import split_of_proteins
from protsae.sae.base import SparseAutoencoder
from protsae.sae.checkpoint import SaeCheckpoint

_DEVICE_KEY = "fidelity.passes.device"
Replacements = Callable[[Tensor], Mapping[str, Tensor]]
"""From the values at the hook point [n_residues, d_model] to their replacements by name, each of that
shape."""


@dataclass(frozen=True)
class Condition:
    """One way to run the model."""

    name: str
    """Column of the table of losses."""
    source: str | None
    """Name of the replacement; None: nothing is replaced."""
    unmasked_only: bool = False
    """Whether masked residues keep their values."""


ABLATIONS = (
    Condition("clean", None),
    Condition("mean", "mean"),
    Condition("zero", "zero"),
    Condition("mean_unmasked", "mean", unmasked_only=True),
    Condition("zero_unmasked", "zero", unmasked_only=True),
)
"""What every dictionary at a hook point is read against."""


def ablations(mean: Tensor) -> Replacements:
    """Return what `ABLATIONS` name: a mean activation [d_model] everywhere, and zero."""

    def replace(x: Tensor) -> dict[str, Tensor]:
        return {"mean": mean.to(x).expand_as(x), "zero": torch.zeros_like(x)}

    return replace


def splices(sae: SparseAutoencoder) -> tuple[Condition, ...]:
    """Return the conditions of a dictionary: its reconstruction at all residues and at unmasked ones, and
    that of its defined and of its free latents alone where it has both."""
    whole = (Condition("sae", "sae"), Condition("sae_unmasked", "sae", unmasked_only=True))
    if 0 < sae.n_defined < sae.config.d_sae:
        return (*whole, Condition("defined", "defined"), Condition("free", "free"))
    return whole


def reconstructions(sae: SparseAutoencoder) -> Replacements:
    """Return what `splices` name. Codes are computed once; bias and mean are part of each reconstruction."""
    n = sae.n_defined

    def replace(x: Tensor) -> dict[str, Tensor]:
        acts = sae.encode(x)
        found = {"sae": sae.decode(acts)}
        if 0 < n < sae.config.d_sae:
            is_defined = torch.arange(sae.config.d_sae, device=acts.device) < n
            found["defined"] = sae.decode(acts.masked_fill(~is_defined, 0.0))
            found["free"] = sae.decode(acts.masked_fill(is_defined, 0.0))
        return found

    return replace


@dataclass(frozen=True)
class _Passage:
    """A stretch that is run at once."""

    owner: int
    """Row of the table of sequences."""
    text: str
    masked: np.ndarray
    """Residues that are masked in it, int64."""
    scored: np.ndarray
    """Of these, those whose guess counts here, bool: a residue in two windows counts in one."""


def masked_losses(
    model: PlmModel,
    hook_point: str,
    sequences: pd.DataFrame,
    conditions: Sequence[Condition],
    replace: Replacements,
    config: PassesConfig,
) -> pd.DataFrame:
    """Sum the cross-entropies of masked residues, by sequence and by the residue that stood there.

    Args:
        model: the language model.
        hook_point: where values are replaced.
        sequences: see `sequences.choose_sequences`.
        conditions: what is run.
        replace: gives what the conditions name.
        config: windows, batches and device.

    Returns:
        `sequence_id`, `kind`, `cluster_id`, `length`, `residue`, `n_masked`, and one column per condition:
        the summed cross-entropy in nats, float64.
    """
    device = pick_device(config.device, _DEVICE_KEY)
    forward = Esm2Forward(model, [], device=device)
    tokens = {letter: model.module.alphabet.get_idx(letter) for letter in AMINO_ACIDS}
    rows = zip(sequences["sequence"], sequences["masked"], sequences["kind"], strict=True)
    passages = [
        passage
        for owner, (text, masked, kind) in enumerate(rows)
        for passage in _passages(owner, text, masked, kind, config)
    ]
    sums = np.zeros((len(conditions), len(sequences) * len(AMINO_ACIDS)))
    counts = np.zeros(sums.shape[1], dtype=np.int64)
    batches = token_budget_batches([len(passage.text) for passage in passages], config.tokens_per_batch)
    for members in track(batches, f"Splicing at {hook_point}"):
        batch = [passages[i] for i in members]
        groups, targets = _targets(batch, tokens)
        counts += np.bincount(groups, minlength=len(counts))
        for row, losses in enumerate(_losses(forward, hook_point, batch, targets, conditions, replace)):
            sums[row] += np.bincount(groups, losses, minlength=len(counts))
    return _table(sequences, counts, {c.name: sums[i] for i, c in enumerate(conditions)})


def _passages(
    owner: int, text: str, masked: Sequence[int], kind: str, config: PassesConfig
) -> list[_Passage]:
    at = np.asarray(masked, dtype=np.int64)
    size = config.max_residues if kind == PROTEIN else len(text)
    found = []
    for window in windows_of(len(text), size, min(config.window_overlap, size - 1)):
        here = at[(at >= window.start) & (at < window.end)]
        scored = (here >= window.first) & (here < window.last)
        if scored.any():
            found.append(_Passage(owner, text[window.start : window.end], here - window.start, scored))
    return found


def _targets(batch: Sequence[_Passage], tokens: Mapping[str, int]) -> tuple[np.ndarray, Tensor]:
    """Return for every scored residue its group, owner and amino acid in one, and its token."""
    letters = [(p.owner, p.text[i]) for p in batch for i in p.masked[p.scored].tolist()]
    groups = np.array([owner * len(AMINO_ACIDS) + AMINO_ACIDS.index(letter) for owner, letter in letters])
    return groups, torch.tensor([tokens[letter] for _, letter in letters])


@torch.inference_mode()
def _losses(
    forward: Esm2Forward,
    hook_point: str,
    batch: Sequence[_Passage],
    targets: Tensor,
    conditions: Sequence[Condition],
    replace: Replacements,
) -> list[np.ndarray]:
    """Return the cross-entropies of the scored residues under each condition, float64 [n_scored]."""
    starts = np.cumsum([0, *(len(passage.text) for passage in batch)])
    masked, scored = torch.zeros((2, int(starts[-1])), dtype=torch.bool)
    for start, passage in zip(starts, batch, strict=False):
        masked[torch.from_numpy(start + passage.masked)] = True
        scored[torch.from_numpy(start + passage.masked[passage.scored])] = True
    paused = forward.run_to([passage.text for passage in batch], hook_point, masked)
    values = replace(paused.values)
    found = []
    for condition in conditions:
        rows = ~masked if condition.unmasked_only else torch.ones_like(masked)
        function = None
        if condition.source is not None:
            function = _giving(values[condition.source][rows.to(forward.device)])
        logits = forward.finish(paused, function, rows, scored)
        found.append(functional.cross_entropy(logits, targets, reduction="none").double().numpy())
    return found


def _giving(values: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda _: values


def _table(sequences: pd.DataFrame, counts: np.ndarray, sums: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return the groups that hold a scored residue, in the order of the sequences."""
    at = np.flatnonzero(counts)
    owner, letter = np.divmod(at, len(AMINO_ACIDS))
    about = sequences[["sequence_id", "kind", "cluster_id", "length"]].iloc[owner].reset_index(drop=True)
    letters = np.array(list(AMINO_ACIDS), dtype=object)[letter]
    columns: dict[str, Any] = {"residue": letters, "n_masked": counts[at]}
    return about.assign(**columns, **{name: values[at] for name, values in sums.items()})


def measure_ablated(
    model: PlmModel,
    store: ActivationStore,
    proteins: pd.DataFrame,
    sequences: pd.DataFrame,
    hook_point: str,
    config: PassesConfig,
) -> pd.DataFrame:
    """Return `masked_losses` of `ABLATIONS`, the mean being that of the stored training activations.

    Raises:
        InputError: the activations come from another model, or hold no training protein.
    """
    require_same_model(store.manifest.model.sha256, model, f"the activation store {store.root}")
    stored = split_of_proteins(proteins, store.protein_ids, ("train",))
    mean = torch.from_numpy(store.statistics(hook_point, list(stored)).mean).float()
    return masked_losses(model, hook_point, sequences, ABLATIONS, ablations(mean), config)


def measure_spliced(
    model: PlmModel, checkpoint: SaeCheckpoint, sequences: pd.DataFrame, config: PassesConfig
) -> pd.DataFrame:
    """Return `masked_losses` of a dictionary's `splices` at its own hook point.

    Raises:
        InputError: the dictionary was trained on activations of another model.
    """
    metadata = checkpoint.metadata
    require_same_model(str(metadata.get("model_sha256", "")), model, f"the dictionary {checkpoint.path}")
    sae = checkpoint.load().to(pick_device(config.device, _DEVICE_KEY))
    replace = reconstructions(sae)
    return masked_losses(model, str(metadata["hook_point"]), sequences, splices(sae), replace, config)


def require_same_model(wanted: str, model: PlmModel, what: str) -> None:
    """Refuse a language model that is not the one of activations or of a dictionary.

    Args:
        wanted: SHA-256 of the model that they were made with.
        model: the one that is here.
        what: what was made with it, for the message.

    Raises:
        InputError: they differ.
    """
    if wanted != model.sha256:
        raise InputError(
            f"{what} comes from a language model with checksum {wanted[:12] or '(none)'}, plm_checkpoint is "
            f"{model.name} with {model.sha256[:12]}: splicing needs the same model: give it, or "
            "extract and train again. Activations that were made elsewhere cannot be spliced"
        )
