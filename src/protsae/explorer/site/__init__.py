"""Source of the page: a package of its own, so that it counts for the nodes that make the explorer alone."""

from pathlib import Path

FOLDER = Path(__file__).parent
