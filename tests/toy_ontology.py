"""A toy ontology whose every relation can be followed by eye."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from protsae.ontology.closure import AncestorClosure
from protsae.ontology.obo import Ontology, read_obo

DATA = Path(__file__).parent / "ontology/data"
SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def toy_obo() -> Path:
    return DATA / "toy.obo"


@pytest.fixture
def toy_annotations() -> Path:
    return DATA / "toy_annotations.tsv"


@pytest.fixture
def toy(toy_obo: Path) -> Ontology:
    return read_obo(toy_obo)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED.is_dir():
        pytest.skip("no ../shared next to the checkout")
    return SHARED


@pytest.fixture(scope="session")
def gene_ontology(shared_data: Path) -> Ontology:
    return read_obo(shared_data / "go" / "go.obo.gz")


def ancestors_of(closure: AncestorClosure, term_ids: Iterable[str]) -> set[str]:
    """Return the ids of some current terms and of all their ancestors."""
    rows = closure.index(term_ids)
    assert (rows >= 0).all()
    return set(closure.term_ids[np.unique(closure.ancestors[rows].indices)].tolist())
