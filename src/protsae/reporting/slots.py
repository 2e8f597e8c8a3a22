"""Where each figure stands on the page, and what is said under it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FigureSlot:
    """A place for one figure."""

    key: str
    """Identifier, unique on the page: letters and underscores."""
    section: str
    """Section it stands in: result, training, data or latents."""
    title: str
    caption: str
    wide: bool = False
    """Whether it has panels side by side: it then scrolls in its own box on a phone."""


FIGURE_SLOTS = (
    FigureSlot(
        "methods",
        "result",
        "Scores on test proteins",
        "Dots are averages over concepts, bars their intervals, dashed and dotted lines the floors. The"
        " scales do not start at zero.",
        wide=True,
    ),
    FigureSlot(
        "concept_comparison",
        "result",
        "Concept by concept: ProtSAE against TopK",
        "One point per concept, on test proteins. Above the dashed line the defined latent is ahead of the"
        " best TopK latent.",
    ),
    FigureSlot(
        "training",
        "training",
        "Training",
        "Terms of the loss and measures along training. Solid: training proteins; dotted: validation. The"
        " training logs hold more terms.",
        wide=True,
    ),
    FigureSlot(
        "proteins",
        "data",
        "Splits and lengths",
        "Left: proteins per split. Right: distribution of sequence lengths within each split.",
        wide=True,
    ),
    FigureSlot(
        "concept_counts",
        "data",
        "Positive proteins per concept",
        "One bar per concept, sorted by training positives; point at a bar for its name.",
        wide=True,
    ),
    FigureSlot(
        "density",
        "latents",
        "How often latents fire",
        "Distribution of latent density, the share of test residues on which a latent fires, on a logarithmic"
        " scale; the legend counts latents that never fire.",
    ),
    FigureSlot(
        "latent_f1",
        "latents",
        "Does F1 hold on test?",
        "Each point is a latent with its best concept, chosen on validation. On the dashed line test equals"
        " validation. A grey dash is the floor of the defined latent above or below it: always on.",
    ),
)
