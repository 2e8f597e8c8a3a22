"""Readers of what finished pipelines leave and hand on, and of what users give to those pipelines."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tests.explorer.test_structures import SEQUENCE, cif, pdb
from tests.fuzz.reader import Reader, text_reader
from tests.prediction.small import plan_of, small_release, some_proteins
from tests.steering.small import FILES, small_steering, write_steering_inputs

from protsae.core.described_tsv import described_tsv, read_described_tsv
from protsae.core.errors import InputError
from protsae.disentanglement.embeddings import StudiedModel, read_embeddings
from protsae.explanation.answers import AnswerFolder, LlmPlan
from protsae.explanation.config import LlmConfig
from protsae.explanation.endpoint import Endpoint, NoAnswer
from protsae.explanation.prompts import Prompt
from protsae.explorer.literals import literal
from protsae.explorer.structures import read_structures
from protsae.prediction.config import ProbesConfig
from protsae.prediction.probes import one_hot, probe_variants
from protsae.prediction.proteins import Proteins, read_proteins
from protsae.prediction.result import Prediction
from protsae.prediction.variants import read_variants
from protsae.release import open_release
from protsae.steering.plan import Designs
from protsae.steering.targets import read_largest, read_relations
from protsae.training.live import LiveLog, read_live

_ONE = Proteins(("P1",), ("",), (SEQUENCE,), {})
_NOBODY = Proteins((), (), (), {})


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _release(folder: Path) -> list[Path]:
    small_release(folder)
    return _files(folder / "release")


def _read_release(folder: Path) -> Any:
    release = open_release(folder / "release")
    names = ("concepts", "concept_scorers", "latents", "train_sequences")
    tables = [release.table(name).to_json() for name in names]
    weights = [tensor.numpy().tobytes() for tensor in release.load_sae().state_dict().values()]
    return release.record, tables, weights, release.load_plm().sha256


def _prediction(folder: Path) -> list[Path]:
    plan_of(small_release(folder / "of"), some_proteins(2)).run(folder / "found")
    return _files(folder / "found")


def _read_prediction(folder: Path) -> Any:
    found = Prediction(folder / "found")
    return found.record, list(found.documents()), [found.table(name).to_json() for name in found.tables]


def _designs(folder: Path) -> list[Path]:
    small_steering(folder / "of").run(folder / "found")
    return [path for path in _files(folder / "found") if not path.name.startswith("shard-")]


def _read_designs(folder: Path) -> Any:
    found = Designs(folder / "found")
    return found.table.to_json(), found.fasta.read_text()


class _Says:
    def ask(self, prompt: Prompt) -> Any:
        return f"about {prompt.question}"


def _prompts() -> list[Prompt]:
    return [
        Prompt(0, "explain", False, "what?"),
        Prompt(0, "detection", False, "where?", (1, 0)),
    ]


def _answers(folder: Path) -> list[Path]:
    LlmPlan(_prompts(), LlmConfig(use="explain", model="m")).run(folder / "found", _Says())
    return _files(folder / "found")


class _FromFile(Endpoint):
    """An endpoint that answers what a file holds."""

    content = b""

    def _post(self, prompt: Prompt) -> bytes:
        return self.content


def _read_response(path: Path) -> Any:
    config = LlmConfig(use="explain", model="m", n_attempts=1)
    endpoint = _FromFile(config)
    endpoint.content = path.read_bytes()
    for prompt in _prompts():
        try:
            found = endpoint.ask(prompt)
        except NoAnswer as error:  # counted and listed with its reason
            raise InputError(f"{path}: {error}") from error
        pd.DataFrame({"sentence": [str(found)]}).to_parquet(path.with_name("table"))


def _response() -> str:
    content = json.dumps({"explanation": "It fires on C.", "answers": [1, 0]})
    message = {"role": "assistant", "content": content}
    return json.dumps({"id": "x", "choices": [{"index": 0, "message": message}], "usage": {"tokens": 9}})


def _variants(columns: str) -> str:
    rows = [
        f"{letter}{place}{new},{SEQUENCE[: place - 1] + new + SEQUENCE[place:]},{place * 0.1 - 1:.3f}"
        for place, letter in enumerate(SEQUENCE, start=1)
        for new in "AV"
        if new != letter
    ]
    return "\n".join([columns, *rows, ""])


def _read_variants(proteins: Proteins) -> Callable[[Path], Any]:
    def read(path: Path) -> None:
        variants, found = read_variants(path, proteins, "DMS_score")
        scored = [variant for variant in variants if variant.score is not None]
        wild = next(iter(found.by_id.values()))
        if len(scored) >= 20:
            hot = one_hot([variant.sequence(wild) for variant in scored])
            scores = np.array([variant.score for variant in scored])
            probe_variants(
                scores, {"one_hot": hot}, {"llr": scores}, ProbesConfig(sizes=(10,), n_draws=2), "P1"
            )

    return read


def _structure(name: str, text: str) -> Reader:
    def make(folder: Path) -> list[Path]:
        (folder / name).write_text(text)
        return [folder / name]

    def read(folder: Path) -> str:
        found = read_structures(folder, ["P1"], [SEQUENCE], 0.9)
        return literal([dict(found.of_protein), *found.files()])

    return Reader(make, read)


def _parquet(table: pd.DataFrame, read: Callable[[Path], Any]) -> Reader:
    def make(folder: Path) -> list[Path]:
        table.to_parquet(folder / "x")
        return [folder / "x"]

    return Reader(make, lambda folder: read(folder / "x"))


def _embeddings() -> pd.DataFrame:
    vectors = np.random.default_rng(0).normal(size=(4, 3))
    return pd.DataFrame({"protein_id": list("ABCD"), "embedding": list(vectors)})


def _read_embeddings(path: Path) -> Any:
    activations = pd.DataFrame({"protein_id": list("AB"), "activation": [np.ones(3), np.zeros(3)]})
    return read_embeddings(path, StudiedModel("this", "ab"), activations, "other")


def _steering(folder: Path) -> list[Path]:
    write_steering_inputs(folder)
    return [folder / name for name in FILES]


def _live(folder: Path) -> list[Path]:
    log = LiveLog(folder / "x")
    for step in range(3):
        log.write(step, 0, "train", {"l0": 4.0, "loss/total": 0.5})
    return [folder / "x"]


_CARDS = pd.DataFrame({"latent": [0, 1], "name": ["a b", ""], "peaks": [[0.5, 1.0], [2.0]]})

ARTEFACTS: dict[str, Reader] = {
    "release": Reader(_release, _read_release, sealed=True),
    "prediction": Reader(_prediction, _read_prediction, sealed=True),
    "designs": Reader(_designs, _read_designs, sealed=True),
    "answers of a language model": Reader(
        _answers, lambda folder: AnswerFolder(folder / "found").answered, sealed=True
    ),
    "response of an endpoint": text_reader(_response(), _read_response),
    "live metrics": Reader(_live, lambda folder: read_live(folder / "x")),
    "table of cards": text_reader(described_tsv(_CARDS, {"table": "cards"}), read_described_tsv),
    "proteins to predict": text_reader(
        f">P1 a protein\n{SEQUENCE}\n>P2\nMKV\n", lambda p: read_proteins(p, None)
    ),
    "variants of a protein": text_reader(
        _variants("mutant,mutated_sequence,DMS_score"), _read_variants(_ONE)
    ),
    "variants alone": text_reader(_variants("mutant,mutated_sequence,DMS_score"), _read_variants(_NOBODY)),
    "structure, PDB": _structure("AF-P1.pdb", pdb(SEQUENCE, range(1, len(SEQUENCE) + 1))),
    "structure, mmCIF": _structure("AF-P1.cif", cif(SEQUENCE, range(1, len(SEQUENCE) + 1))),
    "embeddings of a judge": _parquet(_embeddings(), _read_embeddings),
    "steering": Reader(_steering, small_steering),
    "statistics of latents": _parquet(
        pd.DataFrame({"latent": range(9), "max_act": np.linspace(0, 2, 9)}), read_largest
    ),
    "relations of concepts": _parquet(
        pd.DataFrame({"child_id": ["GO:2", "GO:3"], "parent_id": ["GO:1", "GO:1"]}), read_relations
    ),
}
