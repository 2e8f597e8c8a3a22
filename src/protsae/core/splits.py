"""The names of the splits."""

from typing import Literal, get_args

Split = Literal["train", "validation", "test"]
SPLITS: tuple[str, ...] = get_args(Split)
"""Training, selection and report, in this order."""
HELD_OUT: tuple[str, ...] = SPLITS[1:]
"""The splits that are scored: selection and report."""
Selection = Literal["train", "validation", "train_and_validation"]
"""Whose labels a latent is chosen for a concept by."""
SELECTION_SPLITS: dict[Selection, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("validation",),
    "train_and_validation": ("train", "validation"),
}
EXCLUDED = "excluded"
"""Value of the column `split` for proteins that the audit removed: they belong to no split."""
