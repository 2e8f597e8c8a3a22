"""What latents do to the language model's prediction of amino acids, and classes of directions.

`causal`: the latent's decoder direction, times its activation, is added at the hook point to the residues
where the latent is active, and the model runs on to its head. `direct`: it is added to the residual stream
just before the final norm, as if no layer lay between; an approximation unless the hook point is the last.
Changes are of log-probabilities over the twenty amino acids, in nats, means over residues.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from protsae.cards.config import EffectsConfig
from protsae.core.devices import pick_device
from protsae.core.letters import AMINO_ACIDS
from protsae.core.seeding import lowest_hashes, torch_generator
from protsae.fidelity.splicing import require_same_model
from protsae.plm.checkpoint import PlmModel
from protsae.plm.forward import Esm2Forward
from protsae.sae.base import SparseAutoencoder
from protsae.sae.checkpoint import SaeCheckpoint

Floats = NDArray[np.float64]

STRENGTH = "act_q90"
"""Column of the activity that is spliced in: what the latent exceeds on a tenth of its residues."""
N_PROMOTED = 3
"""Amino acids that scores are about."""
_DEVICE_KEY = "cards.effects.device"
_BLOCK = 1024
_COMPONENTS = 3
"""Principal components that directions are compared with."""


class Effect(NamedTuple):
    """Of some latents."""

    change: Floats
    """Mean change of the log-probability of each amino acid [n, 20]."""
    promoted: Floats
    """Mean change of the summed probability of the `N_PROMOTED` amino acids with the largest changes [n]."""


@dataclass(frozen=True)
class Head:
    """The end of a language model: final norm and head."""

    model: PlmModel

    def log_probabilities(self, residual: Tensor) -> Tensor:
        """Return log-probabilities over the twenty amino acids [..., 20] of the residual stream before the
        final norm [..., d_model]."""
        module: Any = self.model.module
        return self.of_logits(module.lm_head(module.emb_layer_norm_after(residual)))

    def of_logits(self, logits: Tensor) -> Tensor:
        """Return the same of logits over the vocabulary."""
        tokens = [self.model.module.alphabet.get_idx(letter) for letter in AMINO_ACIDS]
        return logits[..., tokens].float().log_softmax(dim=-1)


def measure_effects(
    model: PlmModel,
    checkpoint: SaeCheckpoint,
    sequences: Mapping[str, str],
    strength: Floats,
    windows: pd.DataFrame,
    shown: Sequence[int],
    config: EffectsConfig,
) -> pd.DataFrame:
    """Measure all latents directly and some causally, and compare directions with the model's.

    Args:
        model: the language model that the dictionary was trained on.
        checkpoint: the dictionary.
        sequences: held-out proteins.
        strength: activation that is spliced in; NaN for dead latents [n_latents].
        windows: see `windows.window_table`.
        shown: latents that are measured causally.
        config: settings.

    Returns:
        One row per latent: `latent`, `strength`, `effect` (causal, direct; empty: dead), `n_sites` (residues
        of the causal measurement), `output_change` (list of 20 nats), `output_score` (see
        `Effect.promoted`), `output_score_floor` (of a random direction of the same length),
        `direct_change` (list of 20), `pc_cosine` (the largest with one of three principal components),
        `head_share` (share of the direction's square that the head's linear part sees),
        `head_share_chance`.

    Raises:
        InputError: another language model than the dictionary's.
    """
    require_same_model(
        str(checkpoint.metadata.get("model_sha256", "")), model, f"the dictionary {checkpoint.path}"
    )
    device = pick_device(config.device, _DEVICE_KEY)
    hook_point, last = str(checkpoint.metadata["hook_point"]), f"layers.{model.n_layers - 1}.resid_post"
    alive = np.flatnonzero(strength > 0)
    pushes = directions(checkpoint.load(), alive, strength[alive])
    random = _random_like(pushes, config.seed)
    forward, head = Esm2Forward(model, sorted({hook_point, last}), device=device), Head(model)
    sample = sorted(lowest_hashes(sequences, config.n_proteins, "cards"))
    captured = forward.run([sequences[name][: config.max_residues] for name in sample])
    rows = torch.randperm(len(captured[last]), generator=torch_generator(config.seed, "cards", "rows"))
    residual = captured[last][rows[: config.n_residues]]
    direct, floor = (direct_effect(head, residual, push) for push in (pushes, random))
    is_shown = np.isin(alive, list(shown)) | config.all_latents
    top = windows[(windows["quantile"] == 1.0) & (windows["rank"] <= config.n_sites)]
    top = top[top["latent"].isin(alive[is_shown])]
    n_sites, causal, causal_floor = causal_effect(
        forward, head, hook_point, sequences, top, (alive, pushes, random), config.max_residues
    )
    is_causal = n_sites > 0
    found = pd.DataFrame({"latent": np.arange(len(strength), dtype=np.int32), "strength": strength})
    columns: dict[str, Any] = {
        "effect": np.where(is_causal, "causal", "direct"),
        "n_sites": n_sites,
        "output_change": list(np.where(is_causal[:, None], causal.change, direct.change)),
        "output_score": np.where(is_causal, causal.promoted, direct.promoted),
        "output_score_floor": np.where(is_causal, causal_floor.promoted, floor.promoted),
        "direct_change": list(direct.change),
        "pc_cosine": component_cosine(captured[hook_point], pushes),
        "head_share": seen_by_head(model, pushes),
    }
    of_alive = pd.DataFrame(columns, index=alive).reindex(np.arange(len(strength)))
    texts = {"effect": of_alive["effect"].fillna(""), "n_sites": of_alive["n_sites"].fillna(0).astype(int)}
    chance = (len(AMINO_ACIDS) - 1) / model.d_model
    return found.join(of_alive.assign(**texts, head_share_chance=min(chance, 1.0)))


def directions(sae: SparseAutoencoder, latents: NDArray[np.int64], strength: Floats) -> Tensor:
    """Return what each latent at a strength adds to the raw reconstruction, float32 [n, d_model]."""
    parts = []
    with torch.no_grad():
        nothing = sae.decode(torch.zeros(1, sae.config.d_sae, dtype=sae.W_dec.dtype))
        for rows in np.array_split(np.arange(len(latents)), max(1, len(latents) // _BLOCK)):
            codes = torch.zeros(len(rows), sae.config.d_sae, dtype=sae.W_dec.dtype)
            codes[np.arange(len(rows)), latents[rows]] = torch.from_numpy(strength[rows]).to(codes)
            parts.append((sae.decode(codes) - nothing).float())
    return torch.cat(parts)


def _random_like(pushes: Tensor, seed: int) -> Tensor:
    """Return random directions of the same lengths."""
    found = torch.randn(pushes.shape, generator=torch_generator(seed, "cards", "random"))
    scale = pushes.norm(dim=1) / found.norm(dim=1).clamp_min(1e-12)
    return torch.mul(found, scale[:, None])


@torch.inference_mode()
def direct_effect(head: "Head", residual: Tensor, pushes: Tensor) -> Effect:
    """Add directions [n, d_model] to the residual stream before the final norm [n_residues, d_model]."""
    clean = head.log_probabilities(residual)
    log_change, change = [], []
    for part in torch.split(pushes, max(1, 4096 // len(residual))):
        pushed = head.log_probabilities(residual + part[:, None])
        log_change.append((pushed - clean).mean(dim=1))
        change.append((pushed.exp() - clean.exp()).mean(dim=1))
    return _effect(torch.cat(log_change).double().numpy(), torch.cat(change).double().numpy())


def causal_effect(
    forward: Esm2Forward,
    head: "Head",
    hook_point: str,
    sequences: Mapping[str, str],
    windows: pd.DataFrame,
    pushed: tuple[NDArray[np.int64], Tensor, Tensor],
    max_residues: int,
) -> tuple[NDArray[np.int64], Effect, Effect]:
    """Add directions at the hook point to the active residues of windows, and run on to the head.

    Args:
        forward: the language model.
        head: its head.
        hook_point: where the dictionary reads.
        sequences: by protein id.
        windows: see `windows.window_table`.
        pushed: latents, ascending [n], their directions, and others to compare with [n, d_model].
        max_residues: longer proteins are cut around the peak.

    Returns:
        Residues that were measured [n], the effect of the directions, and that of the others.
    """
    alive, *pushes = pushed
    count = np.zeros(len(alive), np.int64)
    sums = np.zeros((len(pushes), 2, len(alive), len(AMINO_ACIDS)))
    length = windows["protein_id"].map(sequences).str.len()
    begin = np.clip(windows["peak_index"] - max_residues // 2, 0, np.maximum(length - max_residues, 0))
    for (name, start), group in _grouped(windows.assign(begin=begin)):
        text = sequences[name][start : start + max_residues]
        paused = forward.run_to([text], hook_point)
        clean = head.of_logits(forward.finish(paused))
        columns = (group[column] for column in ("latent", "window_start", "window_acts"))
        for latent, first, acts in zip(*columns, strict=True):
            sites = first - start + np.flatnonzero(acts)
            sites = sites[(sites >= 0) & (sites < len(text))]
            at = torch.zeros(len(text), dtype=torch.bool)
            at[sites] = True
            i = int(np.searchsorted(alive, latent))
            count[i] += len(sites)
            for which, push in enumerate(pushes):
                logits = forward.finish(paused, partial(torch.add, other=push[i].to(forward.device)), at, at)
                after, before = head.of_logits(logits), clean[at]
                sums[which, 0, i] += (after - before).sum(dim=0).double().numpy()
                sums[which, 1, i] += (after.exp() - before.exp()).sum(dim=0).double().numpy()
    means = sums / np.maximum(count, 1)[:, None]
    return count, _effect(*means[0]), _effect(*means[1])


def _grouped(windows: pd.DataFrame) -> Iterator[tuple[tuple[str, int], pd.DataFrame]]:
    """Yield the windows of each protein that are run together, with its id and the first residue run."""
    for key, group in windows.groupby(["protein_id", "begin"], sort=True):
        name, start = cast("tuple[str, int]", key)
        yield (name, int(start)), group


def _effect(log_change: Floats, change: Floats) -> Effect:
    """Return the effect of mean changes of log-probabilities and of probabilities [n, 20]."""
    best = np.argsort(-log_change, axis=1, kind="stable")[:, :N_PROMOTED]
    return Effect(log_change, np.take_along_axis(change, best, axis=1).sum(axis=1))


def component_cosine(x: Tensor, pushes: Tensor) -> Floats:
    """Return the largest absolute cosine of each direction with one of the first principal components of
    activations [n_residues, d_model]."""
    centred = (x - x.mean(dim=0)).double()
    components = torch.linalg.eigh(centred.T @ centred)[1][:, -_COMPONENTS:]
    unit = functional.normalize(pushes.double(), dim=1)
    return np.asarray((unit @ components).abs().amax(dim=1))


def seen_by_head(model: PlmModel, pushes: Tensor) -> Floats:
    """Return the share of each direction's square in the 19 dimensions that the linear part of final norm and
    head maps to differences between amino acids; a random direction has 19 / d_model."""
    module: Any = model.module
    tokens = [module.alphabet.get_idx(letter) for letter in AMINO_ACIDS]
    unembed = module.lm_head.weight[tokens].double()
    unembed = unembed - unembed.mean(dim=0)
    scaled = module.lm_head.dense.weight.double() * module.emb_layer_norm_after.weight.double()
    linear = unembed @ (scaled - scaled.mean(dim=1, keepdim=True))  # the norm takes off the mean
    seen = torch.linalg.svd(linear, full_matrices=False)[2][: len(AMINO_ACIDS) - 1]
    return np.asarray((functional.normalize(pushes.double(), dim=1) @ seen.T).square().sum(dim=1))


def named_changes(change: Floats, largest: bool, n: int = N_PROMOTED) -> str:
    """Return the amino acids with the largest rises, or falls, of log-probability: `C:+1.2 W:+0.4`."""
    order = np.argsort(-change if largest else change, kind="stable")[:n]
    return " ".join(f"{AMINO_ACIDS[a]}:{change[a]:+.2f}" for a in order if (change[a] > 0) == largest)
