"""The places of figures on the page, with their captions."""

from dataclasses import dataclass

from protsae.reporting.dictionaries import Dictionaries


@dataclass(frozen=True)
class FigureSlot:
    """A place for one figure."""

    key: str
    """Identifier, unique on the page: letters and underscores."""
    section: str
    """Id of its section."""
    title: str
    caption: str
    wide: bool = True
    """Whether it has several panels: it then scrolls in its own box on a phone."""


_METHODS = FigureSlot(
    "methods",
    "methods",
    "Scores on test proteins",
    "Dots are means over concepts, bars their intervals. Dashed and dotted lines are the floors. The scales"
    " do not start at zero.",
)
_TRAINING = FigureSlot(
    "training",
    "dictionaries",
    "Training",
    "Terms of the loss and measures during training. Solid: training proteins. Dotted: validation proteins."
    " The training logs hold more terms.",
)
_RECOVERED_LOSS = FigureSlot(
    "recovered_loss",
    "fidelity",
    "Recovered loss",
    "1: the language model predicts as well as with its own activations. 0: it predicts as badly as without"
    " them (left: set to their mean, right: set to zero). Bars are intervals. A bar that leaves its panel has"
    " no meaning: removing these activations costs almost nothing, so there is no loss to recover.",
)
_ALIGNMENT = FigureSlot(
    "alignment",
    "alignment",
    "How well single latents match concepts",
    "For each concept: the latent that is best on validation proteins, and its F1 on test proteins. Concepts"
    " are sorted from the best to the worst. Grey lines are the floors.",
)
_MONOSEMANTICITY = FigureSlot(
    "monosemanticity",
    "disentanglement",
    "MonoSemanticity of all latents",
    "Scores of the latents that could be judged, sorted from the best to the worst, one panel per judge. 0 is"
    " chance.",
)
_PROTEINS = FigureSlot(
    "proteins",
    "data",
    "Splits and lengths",
    "Left: proteins per split. Right: distribution of sequence lengths within each split.",
)
_CONCEPT_COUNTS = FigureSlot(
    "concept_counts",
    "data",
    "Positive proteins per concept",
    "One bar per concept, sorted by training positives. Point at a bar for its name.",
)
_DENSITY = FigureSlot(
    "density",
    "latents",
    "How often latents are active",
    "Distribution of latent density, the share of test residues on which a latent is active, on a logarithmic"
    " scale. The legend counts latents that are never active.",
    wide=False,
)


def figure_slots(dictionaries: Dictionaries) -> tuple[FigureSlot, ...]:
    """Return the places of a page, in its order; the keys are the same for any dictionaries."""
    return (
        _METHODS,
        _concept_comparison(dictionaries),
        _TRAINING,
        _RECOVERED_LOSS,
        _ALIGNMENT,
        _MONOSEMANTICITY,
        _PROTEINS,
        _CONCEPT_COUNTS,
        _DENSITY,
        _latent_f1(bool(dictionaries.guided)),
    )


def _concept_comparison(dictionaries: Dictionaries) -> FigureSlot:
    rival = dictionaries.rival
    against = "a linear probe" if rival is None else dictionaries.short_label(rival)
    return FigureSlot(
        "concept_comparison",
        "methods",
        f"Concept by concept: {dictionaries.short_label(dictionaries.subject)} against {against}",
        "One point per concept, on test proteins. Points above the dashed line: the higher AUC is that of the"
        " method named on the vertical axis.",
        wide=False,
    )


def _latent_f1(with_floors: bool) -> FigureSlot:
    floors = " A grey dash is the floor of the defined latent above or below it: always on."
    return FigureSlot(
        "latent_f1",
        "latents",
        "Does F1 hold on test proteins?",
        "Each point is a latent with its best concept, chosen on validation proteins. On the dashed line test"
        f" equals validation.{floors if with_floors else ''}",
        wide=False,
    )
