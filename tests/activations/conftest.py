"""A small extraction to read from."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.plm.tiny_esm2 import random_sequences, tiny_model

from protsae.activations.config import ExtractionConfig
from protsae.activations.plan import ExtractionPlan, plan_extraction
from protsae.activations.writer import write_activations
from protsae.plm import PlmModel

HOOK_POINT = "layers.1.resid_post"
LENGTHS = [5, 1, 17, 30, 2, 9, 9, 40, 12, 3, 21]


@dataclass(frozen=True)
class Extraction:
    """A finished extraction and what it was made from."""

    root: Path
    plan: ExtractionPlan
    sequences: dict[str, str]


def config(**changes: object) -> ExtractionConfig:
    """Return settings that make four shards of the test proteins, with changes."""
    settings = {
        "hook_point": HOOK_POINT, "max_tokens_per_batch": 60, "proteins_per_shard": 3, "dtype": "float16",
        "long_sequences": "full", "max_residues": 1022,
    }  # fmt: skip
    return ExtractionConfig.model_validate({**settings, **changes})


def proteins() -> dict[str, str]:
    """Return test proteins by id."""
    return {f"P{i:02d}": sequence for i, sequence in enumerate(random_sequences(LENGTHS))}


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> PlmModel:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def extraction(model, tmp_path_factory) -> Extraction:
    sequences = proteins()
    plan = plan_extraction(list(sequences), list(sequences.values()), model, config())
    root = tmp_path_factory.mktemp("activations") / "run"
    write_activations(plan, root)
    return Extraction(root, plan, sequences)
