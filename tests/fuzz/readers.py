"""Every reader of files with a sound example of each file that it reads."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tests.activations.conftest import HOOK_POINT, config, proteins
from tests.activations.test_parquet import write as write_parquet
from tests.annotations import test_damaged_files as annotation_files
from tests.annotations.test_gaf import GPAD_11
from tests.code_store import stored_codes
from tests.fuzz.artefacts import ARTEFACTS
from tests.fuzz.reader import Reader, text_reader
from tests.ontology import test_damaged_files as ontology_files
from tests.plm.hugging_face_folder import hugging_face_state, write_folder
from tests.plm.tiny_esm2 import fair_esm_content, tiny_esm2, tiny_model, write_safetensors
from tests.sae.interchange import foreign
from tests.sae.interchange.foreign import load_module
from tests.sequences import test_damaged_files as sequence_files
from tests.sequences.flat_file import dat_record
from tests.sequences.rearrangements import heavy, table

from protsae.activations import ActivationStore
from protsae.activations.parquet import ParquetStore
from protsae.activations.plan import plan_extraction
from protsae.activations.writer import write_activations
from protsae.annotations.airr import read_rearrangements
from protsae.annotations.binding import read_binding_sites
from protsae.annotations.config import AnnotationsConfig, RearrangementConfig
from protsae.annotations.features import read_features
from protsae.annotations.motifs import read_motifs
from protsae.annotations.rows import read_annotations
from protsae.annotations.tables import read_concept_table
from protsae.caching.records import read_json, read_record
from protsae.config_loader import ARGUMENTS, ProjectConfigLoader
from protsae.encoding.codes import CodeStore
from protsae.ontology.norm_file import read_norm
from protsae.ontology.obo import read_obo
from protsae.plm import load_plm
from protsae.pretraining.checkpoint import read_plm_header, save_plm
from protsae.pretraining.config import ShapeConfig
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.sequences.clonotypes import read_clonotypes
from protsae.sequences.clustering import read_clusters
from protsae.sequences.records import RecordsConfig, read_sequences
from protsae.sequences.table import SequenceTableConfig, read_held_back, sequence_table
from protsae.training.state import StateFile

ROOT = Path(__file__).parents[2]


def _foreign(write: Callable[..., Any], *arguments: Any, **choices: Any) -> Reader:
    """Return the reader of another library's autoencoder."""

    def make(folder: Path) -> list[Path]:
        path = Path(write(folder, *arguments)[0])
        (folder / "path").write_text(str(path.relative_to(folder)))
        files = sorted(path.rglob("*")) if path.is_dir() else sorted(path.parent.iterdir())
        return [file for file in files if file.is_file() and file.name != "path"]

    return Reader(make, lambda folder: load_module(folder / (folder / "path").read_text(), **choices))


def _read_annotations(path: Path) -> None:
    read_annotations(path, AnnotationsConfig(), Counter())


def _store(folder: Path) -> list[Path]:
    ids, sequences = zip(*proteins().items(), strict=True)
    model = tiny_model(folder.parent)
    write_activations(plan_extraction(ids, sequences, model, config()), folder)
    return [path for path in sorted(folder.iterdir()) if path.suffix in {".parquet", ".json"}]


def _read_store(folder: Path) -> list[Any]:
    store = ActivationStore(folder)
    return [(name, x.tobytes()) for name, x in store.iter_proteins(HOOK_POINT)] + [
        store.protein_means(HOOK_POINT, store.protein_ids).tobytes()
    ]


def _embeddings(folder: Path) -> list[Path]:
    values = {f"P{i}": np.random.default_rng(i).normal(size=(n, 6)) for i, n in enumerate((3, 1, 7, 4))}
    labels, split = {name: ["a", "b"] for name in values}, dict.fromkeys(values, "train")
    write_parquet(folder / "x.parquet", values, rows_per_group=5, labels=labels, split=split)
    return [folder / "x.parquet"]


def _embeddings_of_pandas(folder: Path) -> list[Path]:
    rows = {"protein_id": list("AAB"), "act": [[0.5, 1], [2, 3], [4, 5]], "labels": list("xxy")}
    pd.DataFrame(rows).to_parquet(folder / "x.parquet")
    return [folder / "x.parquet"]


def _rearrangements(folder: Path) -> list[Path]:
    rows = [heavy("a", n_mutations="3"), heavy("b", productive="F"), heavy("c", sequence_aa="MKV")]
    return [table(folder / "x", rows)]


def _read_rearrangements(folder: Path) -> None:
    sequences, _ = sequence_table(folder / "x", SequenceTableConfig())
    read_rearrangements(folder / "x", sequences, RearrangementConfig())
    read_clonotypes(folder / "x", sequences)


def _read_embeddings(folder: Path) -> None:
    store = ParquetStore(folder / "x.parquet")
    store.statistics(store.column, store.protein_ids)
    store.lengths()


def _codes(folder: Path) -> list[Path]:
    random = np.random.default_rng(0)
    acts = {
        p: np.maximum(random.normal(size=(n, 9)), 0).astype(np.float32)
        for p, n in zip("abc", (4, 1, 6), strict=True)
    }
    stored_codes(folder / "codes", acts, dict.fromkeys("abc", "train"))
    return sorted((folder / "codes").iterdir())


def _read_codes(folder: Path) -> Any:
    store = CodeStore(folder / "codes")
    return [
        (names, codes.latents.tobytes(), codes.values.tobytes())
        for names, codes in store.read(store.protein_ids)
    ]


def _checkpoint(version: int) -> Callable[[Path], list[Path]]:
    def make(folder: Path) -> list[Path]:
        path = ROOT / f"tests/sae/data/protsae_v{version}.safetensors"
        (folder / "x").write_bytes(path.read_bytes())
        return [folder / "x"]

    return make


def _read_checkpoint(folder: Path) -> Any:
    handle = SaeCheckpoint(folder / "x")
    return (
        handle.metadata,
        handle.config,
        [(n, t.numpy().tobytes()) for n, t in handle.load().state_dict().items()],
    )


def _plm(folder: Path) -> list[Path]:
    return [write_safetensors(folder / "x.safetensors", tiny_esm2())]


def _pretrained(folder: Path) -> list[Path]:
    weights = {"embed_tokens.weight": torch.arange(66.0).reshape(33, 2)}
    shape = ShapeConfig(n_layers=1, d_model=4, n_heads=1)
    save_plm(
        folder / "x.safetensors", weights, shape, dtype="float32", about={"fingerprint": "ab", "log": []}
    )
    return [folder / "x.safetensors"]


def _fair_esm(folder: Path) -> list[Path]:
    torch.save(fair_esm_content(tiny_esm2()), folder / "x.pt")
    return [folder / "x.pt"]


def _hugging_face(folder: Path) -> list[Path]:
    write_folder(folder / "hf", hugging_face_state(tiny_esm2()))
    return sorted((folder / "hf").iterdir())


def _state(folder: Path) -> list[Path]:
    state = StateFile(folder, "f" * 64)
    state.save({"step": 3, "weights": torch.arange(50.0), "rows": [(1, "a", 0.5)]})
    return [state.path]


def _read_state(folder: Path) -> Any:
    state = StateFile(folder, "f" * 64).load()
    return state and (state["step"], state["weights"].tolist(), state["rows"])


def _conf(part: str) -> Reader:
    """Return the reader of a part of the configuration; only the files that have it are spoilt."""

    def make(folder: Path) -> list[Path]:
        for name in ("base", "local"):
            (folder / name).mkdir()
        for path in (ROOT / "conf/base").glob("*.yml"):
            (folder / "base" / path.name).write_bytes(path.read_bytes())
        return sorted((folder / "base").glob(f"[{part[0]}g]*.yml"))

    return Reader(make, lambda folder: dict(ProjectConfigLoader(conf_source=str(folder), **ARGUMENTS)[part]))


FEATURES = """Entry\tDomain [FT]\tBinding site
P1\tDOMAIN 1..5; /note="SH3 1"; /evidence="ECO:1"; DOMAIN 9..12; /note="SH2"\tBINDING 3; /ligand="Zn"
"""
BINDING = "P1\t2,3,10\nP2\t1\nQ3\t7, 8\n"
CONCEPTS = "accession\tconcept_id\tstart\tend\tname\nP1\tPF1\t2\t9\tA b\nP2\tPF2\t1\t4\tC\n"
MOTIFS = (ROOT / "data/01_raw/motifs.tsv").read_bytes()
CLUSTERS = "accession\tcluster_id\nP1\tC1\nP2\tC1\nP3\tC2\n"
RECORD = """{"node": "n", "parts": {"code": {"a": "b"}}, "outputs": {}, "seconds": 1, "peak_memory_mb": 2,
"bytes_written": 3, "finished_at": "", "run_id": null}"""

READERS: dict[str, Reader] = {
    **{
        f"sequences, {kind}": text_reader(sound, lambda p: list(read_sequences(p, RecordsConfig())))
        for kind, (sound, _) in sequence_files.KINDS.items()
    },
    **{
        f"annotations, {kind}": text_reader(
            sound, lambda p: read_annotations(p, AnnotationsConfig(), Counter())
        )
        for kind, (sound, _) in annotation_files.KINDS.items()
    },
    "annotations, gpad": text_reader("\n".join(GPAD_11), _read_annotations),
    "rearrangements": Reader(_rearrangements, _read_rearrangements),
    "ontology, obo": text_reader(ontology_files.OBO, read_obo),
    "ontology, norm": text_reader(ontology_files.NORM, read_norm),
    "features, table": text_reader(FEATURES, read_features),
    "features, flat file": text_reader(dat_record() + dat_record("B", "P2;", "MKV", ()), read_features),
    "binding sites": text_reader(BINDING, lambda p: read_binding_sites({"metal": p})),
    "concept table": text_reader(CONCEPTS, lambda p: read_concept_table("pfam", p, None)),
    "motifs": text_reader(MOTIFS, read_motifs),
    "clusters": text_reader(CLUSTERS, read_clusters),
    "clusters, MMseqs2": text_reader("P1\tP1\nP1\tP2\nP3\tP3\n", read_clusters),
    "held back": text_reader("accession\nP1\nP2\n", read_held_back),
    "embeddings": Reader(_embeddings, _read_embeddings),
    "embeddings, pandas": Reader(_embeddings_of_pandas, _read_embeddings),
    "activation store": Reader(_store, _read_store, sealed=True),
    "residue codes": Reader(_codes, _read_codes, sealed=True),
    "checkpoint": Reader(_checkpoint(3), _read_checkpoint, sealed=True),
    "checkpoint, version 1": Reader(_checkpoint(1), _read_checkpoint),
    "training state": Reader(_state, _read_state, sealed=True),
    "language model": Reader(_plm, lambda folder: load_plm(folder / "x.safetensors")),
    "language model, fair-esm": Reader(_fair_esm, lambda folder: load_plm(folder / "x.pt")),
    "language model, Hugging Face": Reader(_hugging_face, lambda folder: load_plm(folder / "hf")),
    "pretrained model": Reader(
        _pretrained, lambda folder: read_plm_header(folder / "x.safetensors").about, sealed=True
    ),
    "SAELens": _foreign(foreign.write_saelens, "topk"),
    "sparsify": _foreign(foreign.write_sparsify),
    "InterProt": _foreign(foreign.write_interprot, k=3),
    "dictionary_learning": _foreign(foreign.write_batch_topk),
    "InterPLM": _foreign(foreign.write_interplm_jumprelu),
    "configuration": _conf("parameters"),
    "catalog": _conf("catalog"),
    **ARTEFACTS,
    "record of the cache": text_reader(RECORD, read_record),
    "memory of the cache": text_reader(RECORD, read_json),
}
