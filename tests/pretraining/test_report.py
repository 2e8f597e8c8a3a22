"""The report's figures are those of the file, on the right proteins."""

import pytest
import torch
from tests.pretraining.conftest import protein_table, random_proteins, toy_plan

from protsae.core.errors import InputError
from protsae.plm import load_plm
from protsae.pretraining.checkpoint import read_plm_header
from protsae.pretraining.config import PerplexityConfig
from protsae.pretraining.evaluation import masked_scores, residue_frequencies, summarise
from protsae.pretraining.report import pretraining_report


def test_floor_uses_the_frequencies_of_the_training_split(tmp_path):
    path = tmp_path / "plm.safetensors"
    toy_plan().run(path)
    train, validation, test = ["A" * 30 + "C" * 20], random_proteins(6, 1), ["A" * 40, "C" * 40]
    config = PerplexityConfig()
    report = pretraining_report(read_plm_header(path), protein_table(train, validation, test), config)
    cpu, bands = torch.device("cpu"), config.length_bands
    for name, sequences in (("validation", validation), ("test", test)):
        scores = masked_scores(load_plm(path).module, sequences, config, cpu)
        expected = summarise(scores, residue_frequencies(train), bands)
        assert report[name] == {"n_in_split": len(sequences), **expected}
    # six As and six Cs of 30 + 1 and 20 + 1 among 50 + 20
    assert report["test"]["floor_perplexity"] == pytest.approx((70 / 31 * 70 / 21) ** 0.5)
    assert set(report["training"]) >= {"shape", "trainer", "seed", "chosen_step", "validation"}
    assert "log" not in report["training"]


def test_a_split_without_proteins_is_refused(tmp_path):
    path = tmp_path / "plm.safetensors"
    toy_plan().run(path)
    with pytest.raises(InputError, match="no protein is in split 'test'"):
        pretraining_report(read_plm_header(path), protein_table(["A"], ["C"], []), PerplexityConfig())
