"""What the language model loses when the directions of a class of dense latents are taken out.

The span of a class's decoder directions is projected out of the activations at the hook point, around the
training activations' mean, and masked residues are guessed: `fidelity`, with another replacement. The control
is the span of as many latents that are active and not dense, drawn at random. The dictionary is not trained
again, as in Dense SAE Latents: this says what the model uses, not whether dense latents come back.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from protsae.cards.dense import CLASSES
from protsae.core.devices import pick_device
from protsae.core.seeding import numpy_generator
from protsae.fidelity.config import FidelityMetricsConfig, PassesConfig
from protsae.fidelity.judging import Resampled
from protsae.fidelity.splicing import Condition, Replacements, masked_losses, require_same_model
from protsae.plm.checkpoint import PlmModel
from protsae.sae.checkpoint import SaeCheckpoint

COLUMNS = (
    *("dense_class", "n_latents", "rank", "n_masked", "ce_clean", "ce_ablated", "ce_control"),
    *("increase", "increase_low", "increase_high", "control_increase", "difference"),
    *("difference_low", "difference_high"),
)
_EVERYTHING = "all"


def class_losses(
    model: PlmModel,
    checkpoint: SaeCheckpoint,
    cards: pd.DataFrame,
    sequences: pd.DataFrame,
    config: PassesConfig,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run the language model without the subspace of each class.

    Args:
        model: the language model.
        checkpoint: the dictionary.
        cards: `latent`, `dense_class`, `effect` (empty: dead).
        sequences: see `fidelity.sequences.choose_sequences`.
        config: how they are run.
        seed: of the controls.

    Returns:
        Losses as `fidelity.splicing.masked_losses` gives them, with columns `clean`, `without_<class>` and
        `control_<class>`; and `dense_class`, `n_latents`, `rank` of each class that has latents, and of all
        classes together (`all`).

    Raises:
        InputError: another language model than the dictionary's.
    """
    wanted = str(checkpoint.metadata.get("model_sha256", ""))
    require_same_model(wanted, model, f"the dictionary {checkpoint.path}")
    sae = checkpoint.load()
    decoder, mean = sae.W_dec.detach().float(), sae.input_mean.float()
    of_class = cards["dense_class"].to_numpy()
    others = np.flatnonzero((of_class == "") & (cards["effect"] != "").to_numpy())
    members = {name: np.flatnonzero(of_class == name) for name in CLASSES if (of_class == name).any()}
    if members:
        members[_EVERYTHING] = np.flatnonzero(of_class != "")
    bases: dict[str, Tensor] = {}
    rows = []
    for name, latents in members.items():
        drawn = numpy_generator(seed, "cards", "ablation", name).permutation(others)[: len(latents)]
        span = basis(decoder[latents])
        bases |= {f"without_{name}": span, f"control_{name}": basis(decoder[drawn])}
        rows.append((name, len(latents), span.shape[1]))
    device = pick_device(config.device, "dense_ablation.passes.device")
    losses = masked_losses(
        model,
        str(checkpoint.metadata["hook_point"]),
        sequences,
        [Condition("clean", None), *(Condition(name, name) for name in bases)],
        _without(bases, mean.to(device)),
        config,
    )
    return losses, pd.DataFrame(rows, columns=["dense_class", "n_latents", "rank"])


def basis(directions: Tensor) -> Tensor:
    """Return orthonormal columns [d_model, rank] that span some directions [n, d_model]."""
    _, values, rows = torch.linalg.svd(directions.double(), full_matrices=False)
    kept = values > 1e-6 * values.max() if len(values) else values > 0
    return torch.transpose(rows[kept], 0, 1).float()


def _without(bases: dict[str, Tensor], mean: Tensor) -> Replacements:
    def replace(x: Tensor) -> dict[str, Tensor]:
        centred = x - mean
        spans = {name: span.to(x) for name, span in bases.items()}
        return {name: x - (centred @ span) @ span.T for name, span in spans.items()}

    return replace


def judge_classes(
    losses: pd.DataFrame,
    classes: pd.DataFrame,
    config: FidelityMetricsConfig,
    kinds: Sequence[str] = ("protein",),
) -> pd.DataFrame:
    """Return cross-entropies in nats per masked residue, with intervals over homology clusters.

    Args:
        losses: see `class_losses`.
        classes: of its classes.
        config: resamples and confidence.
        kinds: of sequences that count.

    Returns:
        The columns `COLUMNS`: `increase` is ablated - clean, `difference` what it exceeds the control's by.
    """
    table = losses[losses["kind"].isin(kinds)].reset_index(drop=True)
    resampled = Resampled(table["sequence_id"], table["cluster_id"], config)
    rows = []
    for name, n_latents, rank in classes.itertuples(index=False):
        columns = ["n_masked", "clean", f"without_{name}", f"control_{name}"]
        values = table[columns].to_numpy(np.float64)
        found = resampled.metrics(_increases, values, np.ones(len(table), bool))
        (up, (low, high)), (control, _) = found["increase"], found["control_increase"]
        (more, (more_low, more_high)) = found["difference"]
        n, *sums = values.sum(axis=0)
        means = (total / n for total in sums)
        rows.append(
            (name, n_latents, rank, int(n), *means, up, low, high, control, more, more_low, more_high)
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _increases(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Return increases per residue from sums of [n_masked, clean, ablated, control]."""
    n, clean, ablated, control = np.moveaxis(sums, -1, 0)
    n = np.maximum(n, 1)
    return {
        "increase": (ablated - clean) / n,
        "control_increase": (control - clean) / n,
        "difference": (ablated - control) / n,
    }
