"""The fidelity pipeline run whole, on a tiny language model, its stored activations and two dictionaries."""

from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from tests.activations.conftest import config
from tests.fidelity.conftest import HOOK_POINT, LENGTHS, guided, plain, proteins  # noqa: F401
from tests.plm.tiny_esm2 import tiny_esm2, write_safetensors

from protsae.activations.plan import plan_extraction
from protsae.activations.reader import ActivationStore
from protsae.activations.writer import write_activations
from protsae.core.errors import InputError
from protsae.encoding.config import EncodingConfig
from protsae.encoding.reading import encode_and_store
from protsae.encoding.run import Run
from protsae.metrics.table import METRIC_COLUMNS
from protsae.pipelines.fidelity import create_pipeline
from protsae.pipelines.fidelity.parameters import FidelityParameters
from protsae.pipelines.wiring import Wiring
from protsae.plm import load_plm
from protsae.sae.checkpoint import SaeCheckpoint, save_sae

pytestmark = pytest.mark.filterwarnings("ignore:One or more dataset names contain")

WIRING = Wiring({"protsae": "protsae", "topk": "topk"})
CONF = Path(__file__).parents[3] / "conf" / "base"


class Kept(MemoryDataset):
    """A memory dataset that a runner does not release after its last use."""

    def _release(self):
        pass


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, proteins, guided, plain):  # noqa: F811
    folder = tmp_path_factory.mktemp("fidelity")
    checkpoint = write_safetensors(folder / "plm.safetensors", tiny_esm2())
    model = load_plm(checkpoint)
    plan = plan_extraction(proteins["protein_id"].tolist(), proteins["sequence"].tolist(), model, config())
    write_activations(plan, folder / "activations")
    about = {"hook_point": HOOK_POINT, "model": model.name, "model_sha256": model.sha256, "seed": 7}
    for name, sae in (("protsae", guided), ("topk", plain)):
        save_sae(sae, folder / f"{name}.safetensors", about)
    store = ActivationStore(folder / "activations")
    found = {"plm_checkpoint": checkpoint, "activation_shards": store, "proteins": proteins}
    for name in WIRING.names:
        handle = SaeCheckpoint(folder / f"{name}.safetensors")
        encoded, codes = encode_and_store(store, handle.load(), Run.of(handle), proteins, EncodingConfig())
        found |= {f"{name}.sae_checkpoint": handle, f"{name}.residue_codes": codes}
        found[f"{name}.reconstruction_sums"] = encoded.reconstruction_sums
        found[f"{name}.latent_statistics"] = encoded.latent_statistics
    return found


def run(inputs, **changes):
    settings = {"hook_point": HOOK_POINT, "judging": {"n_resamples": 20, "length_bands": [30]}, **changes}
    parameters = FidelityParameters.model_validate(settings)
    given = {f"params:fidelity.{name}": value for name, value in parameters}
    catalog = DataCatalog(
        {name: MemoryDataset(value, copy_mode="assign") for name, value in (inputs | given).items()}
    )
    pipeline = create_pipeline(WIRING)
    for name in pipeline.all_outputs():
        catalog[name] = Kept()
    SequentialRunner().run(pipeline, catalog)
    return {name: catalog.load(name) for name in pipeline.all_outputs()}


def test_every_dictionary_is_judged_over_the_same_residues(inputs):
    outputs = run(inputs)
    report = outputs["fidelity_report"]
    assert report["scored"] == {"protein": 6, "whole": 2, "joined": 3}  # tests of 60 and 48, training to 41
    assert report["left_out"]["test_proteins_not_drawn"] == 0
    metrics = outputs["fidelity_metrics"]
    tables = {name: metrics[metrics["method"] == name] for name in ("protsae", "topk")}
    for name, table in tables.items():
        assert tuple(table.columns) == METRIC_COLUMNS
        assert set(table["method"]) == {name}
        assert set(table["seed"]) == {7}
        whole = table[(table["stratum"] == "") & (table["split"] == "test")].set_index(["preset", "metric"])
        assert whole.loc[("", "mlm_ce_sae"), "n"] == report["n_masked"]["protein"]
        assert whole.loc[("", "fve"), "n"] == sum(LENGTHS[::2])
        for metric in ("fve", "mse", "cosine", "l0", "dead_share", "dense_share", "loss_recovered"):
            assert ("", metric) in whole.index, metric
        strata = {"longer_than_training", "joined_longer_than_training", "length 1-30", "length >30"}
        assert strata <= set(table["stratum"])
    assert set(tables["protsae"]["preset"]) == {"", "unmasked", "defined", "free"}
    assert set(tables["topk"]["preset"]) == {"", "unmasked"}
    clean = [
        table.query("metric == 'mlm_ce_clean' and stratum == '' and preset == ''")["value"].item()
        for table in tables.values()
    ]
    assert clean[0] == clean[1]
    histogram = outputs["density_histogram"].query("method == 'protsae'")
    assert histogram.groupby("kind")["n_latents"].sum().to_dict() == {"defined": 3, "free": 37}


def test_two_runs_give_equal_tables(inputs):
    first, second = run(inputs), run(inputs)
    for name in ("plm_losses", "protsae.spliced_losses", "fidelity_metrics", "fidelity_sequences"):
        pd.testing.assert_frame_equal(first[name], second[name], obj=name)


def test_a_foreign_dictionary_store_or_hook_point_is_refused(inputs, tmp_path, plain):  # noqa: F811
    about = dict(inputs["topk.sae_checkpoint"].metadata)
    save_sae(plain, tmp_path / "foreign.safetensors", about | {"model_sha256": ""})
    foreign = {**inputs, "topk.sae_checkpoint": SaeCheckpoint(tmp_path / "foreign.safetensors")}
    with pytest.raises(InputError, match=r"foreign\.safetensors comes from a language model with checksum"):
        run(foreign)
    with pytest.raises(InputError, match=r"is of hook point layers\.1\.resid_post, fidelity\.hook_point is"):
        run({**inputs, **other_point(inputs, tmp_path)}, hook_point="layers.2.resid_post")
    other = write_safetensors(tmp_path / "other.safetensors", tiny_esm2(1))
    with pytest.raises(InputError, match=r"the activation store .* comes from a language model"):
        run({**inputs, "plm_checkpoint": other})


def other_point(inputs, folder):
    """Return a store of two hook points."""
    proteins = inputs["proteins"]  # noqa: F811
    model = load_plm(inputs["plm_checkpoint"])
    settings = config(hook_points=["layers.2.resid_post"])
    plan = plan_extraction(proteins["protein_id"].tolist(), proteins["sequence"].tolist(), model, settings)
    write_activations(plan, folder / "two")
    return {"activation_shards": ActivationStore(folder / "two")}
