"""The reference page of all settings is that of the models."""

from collections.abc import Iterator

from protsae.core.config import Config
from protsae.parameters import PARAMETER_MODELS, block_of
from protsae.reference import PAGE, main, page
from protsae.training.config import DictionariesConfig, DictionaryConfig


def settings(model: type[Config]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if block := block_of(field):
            yield from settings(block)
        else:
            yield name


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m protsae.reference"


def test_a_page_that_is_not_current_fails_the_check(tmp_path, monkeypatch):
    monkeypatch.setattr("protsae.reference.PAGE", tmp_path / "configuration.md")
    assert main([]) is None
    assert main(["--check"]) is None
    (tmp_path / "configuration.md").write_text("old")
    assert "run python -m protsae.reference" in main(["--check"])


def test_every_setting_has_a_row_with_its_meaning():
    rows = [line.split(" | ") for line in page().splitlines() if line.startswith("| `")]
    assert all(len(row) == 4 and row[3].strip(" |") for row in rows)
    named = {row[0].strip("| `") for row in rows}
    for model in {*PARAMETER_MODELS.values(), DictionaryConfig} - {DictionariesConfig}:
        assert set(settings(model)) <= named


def test_rows_say_default_bounds_and_where_a_value_comes_from():
    text = page()
    assert "| `k` | 16 | integer, > 0 | " in text
    assert "| `seed` | `shared.seed` | integer, ≥ 0 | Seed of weights and of samples. |" in text
    assert (
        "\n### splitting.audit.search\n\nAs `ingestion.clusters.search`, for what is not given here." in text
    )
