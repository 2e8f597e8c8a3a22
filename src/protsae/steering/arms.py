"""Arms: ways to steer towards a concept, all on one scale.

At strength 1 every arm that edits moves a residue by the same distance, such as the root of the activations'
total variance, so that strengths of arms can be compared and chosen from one grid.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.probing.logistic import choose_probes, fit_path
from protsae.sae.base import SparseAutoencoder
from protsae.steering.decoding import Decoder, Template
from protsae.steering.edits import DirectionEdit, Edit, LatentEdit

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Arm:
    """One way to steer: an edit at the hook point, or sequences of its own."""

    name: str
    edit: Edit | None = None
    """None, and no `write`: the model as it is."""
    write: Callable[[Sequence[Template]], list[str]] | None = None
    """Gives the sequences itself, for controls without a language model."""
    is_dosed: bool = True
    """Whether the strength is chosen."""
    about: str = ""
    """What it turned out to be, such as the latents."""


def difference_of_means(means: Floats, positive: Bools, negative: Bools) -> Tensor:
    """Return the mean activation of proteins with the concept minus that of those without [d_model].

    Args:
        means: mean activation of each protein [n, d_model].
        positive: which have the concept [n].
        negative: which are known not to [n].

    Raises:
        InputError: there are none of either.
    """
    if not positive.any() or not negative.any():
        raise InputError(
            f"{int(positive.sum())} proteins with the concept and {int(negative.sum())} without: difference "
            "of means needs both. Choose another concept"
        )
    found = means[positive].mean(axis=0, dtype=np.float64) - means[negative].mean(axis=0, dtype=np.float64)
    return torch.from_numpy(found).float()


def probe_direction(
    train: tuple[Floats, Bools, Bools], validation: tuple[Floats, Bools, Bools], l2: Sequence[float]
) -> Tensor:
    """Return the weights of a linear probe on mean activations, in units of raw activations [d_model].

    Args:
        train: features [n, d_model], whether each has the concept, and whether that is known [n].
        validation: likewise; the penalty with the highest AUC there is taken.
        l2: strengths of the penalty.
    """
    parts = [(x, y[:, None], known[:, None]) for x, y, known in (train, validation)]
    probes = choose_probes(fit_path(*parts[0], l2), *parts[1])
    return torch.from_numpy(probes.weights[:, 0] / probes.scale).float()


def direction_arm(name: str, direction: Tensor, length: float) -> Arm:
    """Return an arm that adds a direction [d_model], stretched to `length` at strength 1."""
    return Arm(name, DirectionEdit(direction * (length / direction.norm())))


def latent_arm(
    name: str,
    sae: SparseAutoencoder,
    profile: Mapping[int, float],
    length: float,
    *,
    suppressed: Sequence[int] = (),
    about: str = "",
) -> Arm:
    """Return an arm that adds a multiple of a profile of latents, the error kept.

    Args:
        name: of the arm.
        sae: the dictionary.
        profile: latent to its share of the change; below 0 it is lowered.
        length: distance that strength 1 moves a residue.
        suppressed: latents that are switched off.
        about: for the table.

    Raises:
        InputError: the profile decodes to nothing.
    """
    with torch.no_grad():
        latents = torch.tensor(list(profile), dtype=torch.int64)
        shares = torch.tensor(list(profile.values()), dtype=sae.W_dec.dtype)
        distance = float((shares @ sae.W_dec[latents]).norm() / sae.input_scale)
    if not distance > 0:
        raise InputError(f"arm {name}: latents {list(profile)[:5]} decode to no change: choose others")
    raised = {latent: share * length / distance for latent, share in profile.items()}
    return Arm(name, LatentEdit(sae, raised, tuple(suppressed)), about=about)


def output_scores(
    decoder: Decoder,
    edits: Sequence[Edit],
    with_concept: Sequence[Template],
    without: Sequence[Template],
    strength: float,
) -> Floats:
    """Return how far each edit favours the residues of proteins with a concept [n_edits].

    The true residues at masked places are scored in one pass: the mean change of their log-probability by the
    edit in proteins with the concept, less that in proteins without. After Arad et al. (2025), who rank
    latents by what raising them does to the output rather than by what activates them.

    Args:
        decoder: of the model that is steered.
        edits: the candidates.
        with_concept: proteins that have it, with masks.
        without: proteins that do not.
        strength: of the edits.
    """
    with_it, without_it = (
        decoder.true_log_probabilities(group, [None, *edits], strength).mean(axis=1)
        for group in (with_concept, without)
    )
    changes = (with_it - with_it[0]) - (without_it - without_it[0])
    scores: Floats = changes[1:]
    return scores


def output_scores_of_latents(
    decoder: Decoder,
    sae: SparseAutoencoder,
    changes: Mapping[int, float],
    with_concept: Sequence[Template],
    without: Sequence[Template],
    length: float,
) -> dict[int, float]:
    """Return the output score of each latent, moved in the direction of its change by `length`.

    Args:
        decoder: of the model that is steered.
        sae: the dictionary.
        changes: latent to a number whose sign says whether it is raised or lowered.
        with_concept: proteins that have the concept, with masks.
        without: proteins that do not.
        length: distance that a residue is moved.
    """
    arms = [latent_arm("", sae, {i: float(np.sign(change))}, length) for i, change in changes.items()]
    edits = [arm.edit for arm in arms if arm.edit is not None]
    found = output_scores(decoder, edits, with_concept, without, 1.0)
    return dict(zip(changes, found.tolist(), strict=True))


def random_mutations(
    templates: Sequence[Template], n_mutations: Sequence[int], generator: np.random.Generator
) -> list[str]:
    """Return the sequences with so many masked residues exchanged for others at random.

    Args:
        templates: which residues may change.
        n_mutations: of each; at most as many as are masked.
        generator: source of the draws.
    """
    found = []
    for template, n in zip(templates, n_mutations, strict=True):
        letters = list(template.sequence)
        for place in generator.permutation(np.flatnonzero(template.masked))[:n]:
            others = [letter for letter in AMINO_ACIDS if letter != letters[place]]
            letters[place] = others[generator.integers(len(others))]
        found.append("".join(letters))
    return found


def nearest_relatives(templates: Sequence[Template], pool: Sequence[str]) -> list[str]:
    """Return for each template the sequence of the pool that shares most words of three residues with what is
    not masked; the first of equal ones.

    Args:
        templates: the proteins.
        pool: natural sequences that have the concept.
    """
    words = [{s[i : i + 3] for i in range(len(s) - 2)} for s in pool]
    found = []
    for template in templates:
        kept = "".join("-" if m else c for c, m in zip(template.sequence, template.masked, strict=True))
        own = {kept[i : i + 3] for i in range(len(kept) - 2) if "-" not in kept[i : i + 3]}
        if not own:  # everything is masked: the whole protein decides
            own = {template.sequence[i : i + 3] for i in range(len(template.sequence) - 2)}
        found.append(pool[max(range(len(pool)), key=lambda i: (len(own & words[i]), -i))])
    return found
