"""Templates of the report: a package of its own, so that they count for the nodes that render it alone."""

from pathlib import Path

FOLDER = Path(__file__).parent
