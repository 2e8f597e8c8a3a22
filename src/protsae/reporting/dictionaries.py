"""The dictionaries of a run as the report shows them: order, labels, colours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protsae.core.errors import InputError
from protsae.probing.config import ComparisonConfig
from protsae.reporting.palette import DICTIONARY_COLOURS, GREY, lighter
from protsae.training.config import DictionaryList

ARCHITECTURE_LABELS = {
    "batch_topk": "BatchTopK SAE",
    "frozen_decoder": "TopK SAE, frozen decoder",
    "frozen_encoder": "TopK SAE, frozen encoder",
    "gated": "Gated SAE",
    "gba": "GBA SAE",
    "jumprelu": "JumpReLU SAE",
    "matryoshka": "Matryoshka SAE",
    "ordered": "Ordered SAE",
    "protsae": "ProtSAE",
    "relu": "ReLU SAE",
    "splice": "SpLiCE",
    "topk": "TopK SAE",
}
REFERENCE_LABELS = {
    "gated_linear_probe": "Gated probe, no dictionary",
    "linear_probe": "Linear probe on activations",
    "nearest_neighbour": "Neighbours by sequence",
    "composition_probe": "Probe on residue composition",
    "random_plm_probe": "Probe on a model with random weights",
    "prevalence": "Prevalence",
    "shuffled_labels": "Shuffled labels",
    "neurons": "Neurons",
    "neurons_latent": "Best neuron",
    "random_directions": "Random directions",
    "random_directions_latent": "Best random direction",
    "random_plm_neurons": "Neurons of a model with random weights",
    "residue_windows": "Amino acids at each distance",
    "residue_identity": "Amino acid alone",
    "position": "Position alone",
}
"""Methods that use no dictionary."""
_RANDOM_PLM = "random_plm_"
_UNTRAINED = {"neurons": "neuron", "random_directions": "random direction"}


def _few(name: str, method: str, one: str) -> str:
    """Return the label of a method that is a probe on few latents of a dictionary, of which one is called
    `one`; of other methods nothing."""
    found = re.fullmatch(rf"{re.escape(name)}_k(\d+)", method)
    return f"Probe on {found[1]} {one}{'' if found[1] == '1' else 's'}" if found else ""


@dataclass(frozen=True)
class Dictionaries(DictionaryList):
    """Which dictionaries a run compares; scores of a dictionary are named `<name>_latent` and so on.

    Raises:
        InputError: subject or rival is not listed; the rival is the subject.
    """

    subject: str
    """Whose concepts are shown first."""
    rival: str | None = None
    """What the subject is compared with."""

    @classmethod
    def of(cls, listed: Mapping[str, Any], comparison: ComparisonConfig) -> "Dictionaries":
        """Read the parameters `dictionaries` and `comparison`."""
        return cls(cls.architectures_of(listed), comparison.subject, comparison.rival)

    def __post_init__(self) -> None:
        for role, name in (("subject", self.subject), ("rival", self.rival)):
            if name is not None and name not in self.names:
                listed = ", ".join(self.names) or "none"
                raise InputError(f"{role} '{name}' is not a dictionary of this run: choose from {listed}")
        if self.rival == self.subject:
            raise InputError(f"'{self.subject}' is both subject and rival: name another rival, or null")

    @property
    def order(self) -> tuple[str, ...]:
        """Subject, rival, then the others as configured."""
        first = [self.subject, *([self.rival] if self.rival is not None else [])]
        return (*first, *(name for name in self.names if name not in first))

    def label(self, name: str) -> str:
        """Return the label of a dictionary; it holds the name if two dictionaries share an architecture."""
        architecture = self.architectures[name]
        label = ARCHITECTURE_LABELS.get(architecture, f"{architecture} SAE")
        shared = sum(self.architectures[other] == architecture for other in self.names) > 1
        return f"{label} ({name})" if shared else label

    def short_label(self, name: str) -> str:
        """Return the label without the word SAE, for use within a longer one."""
        return self.label(name).replace(" SAE", "")

    def method_label(self, method: str) -> str:
        """Return the label of a method or a dictionary; an unknown method is its own label."""
        for name in self.names:
            if method == name:
                return self.label(name)
            short = self.short_label(name)
            roles = {
                "latent": f"{short} {'defined' if name in self.guided else 'best'} latent",
                "gate": f"{short} predictor, gated, no dictionary",
                "predictor": f"{short} predictor",
                "probe": f"Probe on {short} latents",
            }
            role = method.removeprefix(f"{name}_")
            if role != method and role in roles:
                return roles[role]
            if found := _few(name, method, f"{short} latent"):
                return found
        for name, one in _UNTRAINED.items():
            if found := _few(name, method, one):
                return found
        if method not in REFERENCE_LABELS and method.startswith(_RANDOM_PLM):
            architecture = method.removeprefix(_RANDOM_PLM)
            trained = ARCHITECTURE_LABELS.get(architecture, architecture)
            return f"{trained} on a model with random weights"
        return REFERENCE_LABELS.get(method, method)

    def label_in_text(self, method: str) -> str:
        """Return the label of a method for the middle of a sentence; dictionaries keep their capitals."""
        label = self.method_label(method)
        lower = method in REFERENCE_LABELS or label.startswith("Probe")
        return label[:1].lower() + label[1:] if lower else label

    def methods(self, name: str) -> tuple[str, ...]:
        """Return the methods that use a dictionary."""
        roles = ("latent", "gate", "predictor", "probe") if name in self.guided else ("latent", "probe")
        return tuple(f"{name}_{role}" for role in roles)

    def ranked(self, scores: Mapping[str, float | None]) -> list[str]:
        """Return methods from the highest score down; controls without a dictionary stand directly under the
        defined latents that they are controls of.

        Args:
            scores: method to score, None: it has none.
        """
        controls = {f"{name}_gate": (f"{name}_latent", 1) for name in self.guided}
        if self.subject in self.guided:
            controls["gated_linear_probe"] = (f"{self.subject}_latent", 2)

        def place(method: str) -> tuple[float, str, int]:
            leader, number = controls.get(method, (method, 0))
            if leader not in scores:
                leader, number = method, 0
            score = scores[leader]
            return (1.0 if score is None else -score, leader, number)

        return sorted(scores, key=place)

    def kinds(self, name: str) -> tuple[str, ...]:
        """Return the kinds of latents of a dictionary."""
        return ("defined", "free") if name in self.guided else ("free",)

    def kind_label(self, name: str, kind: str) -> str:
        """Return the label of one kind of latent of a dictionary or of a reference method."""
        named = name in self.guided
        return f"{self.label(name)}, {kind}" if named else self.method_label(name)

    def place(self, name: str) -> int:
        """Return the position of a dictionary's colour in `DICTIONARY_COLOURS`."""
        return self.order.index(name) % len(DICTIONARY_COLOURS)

    def colour(self, name: str) -> str:
        """Return the colour of a dictionary; other methods are grey."""
        return DICTIONARY_COLOURS[self.place(name)] if name in self.names else GREY

    def latent_colour(self, name: str, kind: str) -> str:
        """Return the colour of one kind of latent: free latents of a guided dictionary are lighter."""
        colour = self.colour(name)
        return lighter(colour) if kind == "free" and name in self.guided else colour
