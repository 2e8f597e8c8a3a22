"""Designs, arms and attributions in the explorer's data files."""

import json

import pandas as pd
import pytest

from protsae.attribution.plan import TABLES
from protsae.core.errors import InputError
from protsae.core.files import UNSEALED, sha256_file, write_text_atomic
from protsae.explorer.config import ExplorerConfig
from protsae.explorer.content import Given, plan_site
from protsae.steering.plan import DESIGN_COLUMNS

from .conftest import HOSTILE, TEXTS, Site, column

KNOWN, CONCEPT = "P00003", "GO:0000003"


def site_of(tables, path, config=None, **given):
    plan_site(tables, TEXTS, config or ExplorerConfig(), Given(**given)).run(path)
    return Site(path)


@pytest.fixture
def designs():
    rows = []
    for number, (name, target) in enumerate([(KNOWN, CONCEPT), (f"mine{HOSTILE}", "latent 12")] * 10):
        scores = dict.fromkeys(DESIGN_COLUMNS, 0.5) | {"pseudo_perplexity": 4.56789 + number}
        texts = {"id": name, "go_id": target, "mode": "add", "perplexity_by": "twin", "positions": "2;4"}
        numbers = {"sample": number, "seed": 7, "n_mutations": 1, "identity": 5 / 6}
        sequences = ("original", "MACDEF"), ("masked", "M#C#EF"), ("generated", "MACWEF")
        rows.append(scores | texts | numbers | {f"{name}_sequence": text for name, text in sequences})
    return pd.DataFrame(rows)[list(DESIGN_COLUMNS)]


@pytest.fixture
def steered(tmp_path, tables, designs):
    folder = tmp_path / "steering"
    folder.mkdir()
    designs.to_parquet(folder / "designs.parquet")
    sha256 = sha256_file(tables.of["topk"].sae_checkpoint.path)
    (folder / "designs.fasta").touch()
    files = {name: sha256_file(folder / name) for name in ("designs.parquet", "designs.fasta")}
    about = {"seal": UNSEALED, "config": {"scale": 1.0}, "dictionary_sha256": sha256, "files": files}
    write_text_atomic(folder / "steering.json", json.dumps(about), sealed=True)
    return folder


def test_designs_are_listed_and_lie_in_chunks(tables, steered, tmp_path):
    site = site_of(tables, tmp_path / "site", steered=steered)
    assert (
        site["index"]["has"] | {"steering": True, "arms": False, "attribution": False} == site["index"]["has"]
    )
    about = site["steering"]
    assert (about["n_all"], about["dictionary"], about["perplexity_by"]) == (20, 1, ["twin"])
    listed = about["designs"]
    assert column(listed, "id")[:2] == [KNOWN, f"mine{HOSTILE}"]
    assert column(listed, "target")[:2] == [CONCEPT, "latent 12"]
    assert column(listed, "concept")[:2] == [3, -1]
    assert column(listed, "latent")[:2] == [-1, 12]
    proteins = tables.proteins["protein_id"].tolist()
    assert column(listed, "protein")[:2] == [proteins.index(KNOWN), -1]
    assert column(listed, "pseudo_perplexity")[:2] == [4.57, 5.57]
    assert column(listed, "identity")[0] == 0.8333
    assert (column(listed, "n_masked")[0], column(listed, "length")[0]) == (2, 6)
    chunk = site["index"]["chunk"]["design"]
    assert site[f"steering-{19 // chunk}"][19 % chunk] == {
        "original": "MACDEF",
        "masked": [1, 3],
        "design": "MACWEF",
    }


def test_what_structures_say_stands_with_its_design(tables, steered, tmp_path):
    rows = [f"mine,latent 12,{sample},x,{70 + sample},,0.5,6" for sample in (3, 1)]
    head = "id,go_id,sample,structure,plddt,original_plddt,tm_score,n_residues"
    text = "\n".join([head, *rows]).replace("mine", f'"mine{HOSTILE.replace(chr(34), chr(34) * 2)}"')
    (tmp_path / "structures.csv").write_text(text + "\n", newline="")
    given = {"steered": steered, "steered_structures": tmp_path / "structures.csv"}
    listed = site_of(tables, tmp_path / "site", **given)["steering"]["designs"]
    assert column(listed, "plddt")[:5] == [None, 71, None, 73, None]
    assert column(listed, "tm_score")[:4] == [None, 0.5, None, 0.5]
    assert set(column(listed, "original_plddt")) == {None}
    assert (
        "plddt" not in site_of(tables, tmp_path / "other", steered=steered)["steering"]["designs"]["columns"]
    )


def test_more_designs_than_are_shown_are_counted(tables, steered, tmp_path):
    site = site_of(tables, tmp_path / "site", ExplorerConfig(max_designs=3), steered=steered)
    assert site["steering"]["n_all"] == 20
    assert site["steering"]["designs"]["n"] == len(site["steering-0"]) == 3
    assert not (site.data / "steering-1.js").exists()


def test_unfinished_folders_are_left_out(tables, steered, tmp_path):
    (steered / "steering.json").unlink()
    (tmp_path / "attribution").mkdir()
    site = site_of(tables, tmp_path / "site", steered=steered, attributed=tmp_path / "attribution")
    assert not any(site["index"]["has"][name] for name in ("steering", "attribution", "arms"))
    assert not [path for path in site.files() if path.name.startswith(("steering", "attribution"))]


def test_arms_keep_all_their_columns(tables, tmp_path):
    arms, doses = tmp_path / "arms.csv", tmp_path / "doses.csv"
    arms.write_text(f'arm,target,score,own\n"named{HOSTILE[:9]}",mean,0.123456,x\nNA,one,,\n')
    doses.write_text("arm,target,strength,score\nnamed,mean,0.5,0.25\n")
    site = site_of(tables, tmp_path / "site", steering_arms=arms, steering_doses=doses)
    assert site["index"]["has"]["arms"] is True
    found = site["steering-arms"]
    assert column(found["arms"], "arm") == [f"named{HOSTILE[:9]}", "NA"]
    assert column(found["arms"], "score") == [0.1235, None]
    assert column(found["arms"], "own") == ["x", ""]
    assert column(found["doses"], "strength") == [0.5]
    site = site_of(tables, tmp_path / "other", steering_doses=doses)
    assert site["steering-arms"]["arms"] is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arm,target\nnamed,mean\n", "arms.csv: the column score is missing; it has arm, target"),
        ("", "arms.csv: no CSV table"),
        ("arm,target,score\nnamed,mean,high\n", "arms.csv: score holds 'high', which is no number"),
    ],
)
def test_tables_of_arms_that_do_not_fit_are_refused(tables, tmp_path, text, message):
    (tmp_path / "arms.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        plan_site(tables, TEXTS, ExplorerConfig(), Given(steering_arms=tmp_path / "arms.csv"))


def document(tables, name, sequence, kind="predictor", note=""):
    n = len(sequence)
    residues = pd.DataFrame({"residue_index": range(n), "residue": list(sequence)})
    residues["is_masked"] = residues["residue_index"] == 1
    for strip, value in (("at_hook_point", -0.12345), ("at_input", 2.0), ("occlusion", 0.0)):
        residues[strip] = value
    latents = pd.DataFrame({"latent": range(40), "integrated_gradients": 1.0})
    regions = pd.DataFrame({"rank": [1], "start": [0], "end": [n], "insight": [0.98765]})
    summary = pd.DataFrame(
        {"what": ["latents"], "method": ["random"], "n_kept": [3.0], "insertion_auc": [None]}
    )
    found = {"residues": residues, "latents": latents, "regions": regions, "summary": summary}
    return {
        "protein_id": name,
        "sequence": sequence,
        "label": CONCEPT,
        "name": HOSTILE,
        "is_annotated": None,
        "target": {"kind": kind, "concept_id": CONCEPT if kind == "predictor" else "", "latent": 12},
        "hook_point": "layers.1.resid_post",
        "dictionary_sha256": sha256_file(tables.of["topk"].sae_checkpoint.path),
        "full": None if note else 1.5,
        "empty": None if note else -0.25,
        "note": note,
        **{table: {} if note else found[table].to_dict("list") for table in TABLES},
    }


@pytest.fixture
def attributed(tmp_path, tables):
    folder = tmp_path / "attribution"
    (folder / "tables").mkdir(parents=True)
    text = tables.proteins.set_index("protein_id")["sequence"][KNOWN]
    documents = [
        document(tables, KNOWN, text[1:]),  # of another file: the same id, another sequence
        document(tables, KNOWN, text),
        document(tables, KNOWN, text, kind="latent", note=f"silent {HOSTILE}"),
    ]
    for number, each in enumerate(documents):
        text = json.dumps({"seal": UNSEALED, "graph_sha256": None, **each})
        write_text_atomic(folder / "tables" / f"{number}.json", text, sealed=True)
    index = json.dumps({"seal": UNSEALED, "slugs": ["0", "1", "2"], "config": {}})
    write_text_atomic(folder / "attribution.json", index, sealed=True)
    return folder


def test_attributions_belong_to_the_protein_with_the_same_sequence(tables, attributed, tmp_path):
    site = site_of(tables, tmp_path / "site", attributed=attributed)
    row = tables.proteins["protein_id"].tolist().index(KNOWN)
    chunk = site["index"]["chunk"]["protein"]
    own = site[f"protein-{row // chunk}"][row % chunk]["attributions"]
    assert [each["file"] for each in own] == [1, 2]
    expected = {"kind": "predictor", "dictionary": 1, "concept": 3, "latent": -1, "full": 1.5, "empty": -0.25}
    assert own[0] | expected | {"name": HOSTILE, "note": None, "is_annotated": None} == own[0]
    assert own[1] | {"kind": "latent", "concept": -1, "latent": 12, "note": f"silent {HOSTILE}"} == own[1]
    others = [each for path in site.files() if path.name.startswith("protein-") for each in site[path.stem]]
    assert sum(bool(each.get("attributions")) for each in others if isinstance(each, dict)) == 1
    assert [(each["id"], each["in_run"]) for each in site["attributions"]] == [
        *((KNOWN, False), (KNOWN, True), (KNOWN, True))
    ]
    found = site["attribution-1"]
    assert found["at_input"] == [2] * tables.proteins["length"][row]
    assert found["at_hook_point"][0] == -0.123
    assert found["masked"] == [1]
    assert (len(found["latents"]), found["n_latents"]) == (30, 40)
    assert found["summary"] == [{"what": "latents", "method": "random", "n_kept": 3, "insertion_auc": None}]
    assert "at_input" not in site["attribution-2"]


def test_a_damaged_folder_of_attributions_is_refused(tables, attributed):
    (attributed / "tables" / "1.json").write_text("{")
    with pytest.raises(InputError, match="1 is missing or damaged"):
        plan_site(tables, TEXTS, ExplorerConfig(), Given(attributed=attributed))
