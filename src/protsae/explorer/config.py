"""Settings of the explorer."""

from pydantic import Field

from protsae.core.config import Config, Share


class ExplorerConfig(Config):
    """What the explorer holds: it decides the size of the folder."""

    title: str | None = None
    """Title of the explorer; null: the report's."""
    proteins: tuple[str, ...] | None = None
    """Ids of the proteins that get a page, such as those of a family; null: all of them."""
    max_tracks: int = Field(default=40, ge=0)
    """Latents per protein and dictionary that are shown along its sequence; the strongest are kept."""
    max_predicted: int = Field(default=40, ge=0)
    """Predicted concepts per protein, the most probable first."""
    max_missing: int = Field(default=50, ge=0)
    """Proteins per concept that a method predicts and that are not annotated."""
    max_designs: int = Field(default=5000, ge=0)
    """Designs of the pipeline steering that are shown, the first ones; the page says of how many."""
    min_identity: Share = 0.9
    """Of a structure's residues to the protein's, over the aligned ones: below it a structure is refused."""
