"""Numbers of pages and the results that they come from, on pages and files made here by hand."""

import json

import pytest
from tests.benchmarks.scripts import load_script

claims = load_script("claims")
TABLE = """method,aspect,metric,value,low,high,seed,stratum
latent,mean,auc,0.757286,0.725625,0.783025,,"band, mean"
latent,mean,auc,0.75,,,0,
latent,mean,auc,0.77,,,1,
probe,mean,auc,0.770004,0.746,0.7924,,"band, mean"
probe,mean,aupr,0.4041,,,,"band, mean"
a - b,mean,auc,-0.0021,-0.0037,0.0010,,"band, mean"
"""
INTERVAL = "column=value,low,high"
OVER = 'file.csv aspect=mean stratum="band, mean"'


@pytest.fixture
def check(tmp_path):
    (tmp_path / "file.csv").write_text(TABLE)
    content = {"summary": {"seconds": 49.6, "n": 125831}, "runs": [{"k": 1, "s": 2.5}, {"k": 2, "s": 3.5}]}
    (tmp_path / "file.json").write_text(json.dumps(content))

    def run(text, name="docs/page.md"):
        return claims.check([claims.Page(name, text)], claims.Results(tmp_path))

    return run


@pytest.mark.parametrize(
    "text",
    [
        f"It is .757 <!-- source: {OVER} method=latent metric=auc -->.",
        f"It is **.7573** (.726 to\n.783) <!-- source: {OVER} method=latent metric=auc\n{INTERVAL} -->.",
        f"2 of them have .770 / .404 <!-- source: {OVER} method=probe metric=auc,aupr -->",
        f"by -.0021 (-.0037 to +.0010) <!-- source: {OVER} method='a - b' metric=auc {INTERVAL} -->",
        f"loses .002 <!-- source: {OVER} method='a - b' metric=auc scale=-1 -->",
        f"77.0 % <!-- source: {OVER} method=probe metric=auc scale=100 -->",
        "a mean of .76 <!-- source: file.csv method=latent stratum= metric=auc aggregate=mean -->",
        "from .750 to .770 <!-- source: file.csv method=latent stratum= aggregate=min,max -->",
        "50 s, 125,831 <!-- source: file.json path=summary/seconds,summary/n -->",
        "3.5 s <!-- source: file.json path=runs k=2 column=s -->",
        "2.5 s <!-- source: file.json path=runs/0/s -->",
        ".75 <!-- source: file.csv method=latent stratum= seed!=1 -->",
    ],
)
def test_numbers_that_are_the_results_rounded_as_written_agree(check, text):
    n_right, problems = check(text)
    assert problems == []
    assert n_right >= 1


def test_a_changed_number_fails_with_its_line_and_both_values(check):
    text = f"First line.\n\nIt is\n.758 <!-- source: {OVER} method=latent metric=auc -->."
    n_right, (problem,) = check(text)
    assert n_right == 0
    assert problem.startswith("docs/page.md:4: written .758, found 0.757286 (file.csv")
    for wrong in (".75728", "-.757", ".7574", ".76 (.726 to .784)"):
        column = "value,low,high" if "(" in wrong else "value"
        _, problems = check(f"{wrong} <!-- source: {OVER} method=latent metric=auc column={column} -->")
        assert len(problems) == 1, wrong


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (f"{OVER} method=gone metric=auc", "no row matches"),
        ("file.csv method=latent metric=auc", "3 rows match: select one, or name an aggregate"),
        ("file.csv method=latent metric=auc aggregate=median", "unknown aggregate; there are mean"),
        (f"{OVER} method=latent metrc=auc", "no column 'metrc'; there are method, aspect"),
        (f"{OVER} method=probe metric=aupr column=low", "'' is no number"),
        ("gone.csv method=latent", "no file gone.csv"),
        ("method=latent", "names no file"),
        ("file.json path=summary/minutes", "the path has no 'minutes'; there are seconds, n"),
        ("file.json path=runs k=3 column=s", "no element of the list matches"),
        ("file.json path=runs column=s", "2 rows match: select one, or name an aggregate"),
        (f"{OVER} method=latent,probe metric=auc", "1 numbers are written, the source has 2"),
    ],
)
def test_a_source_that_leads_to_no_number_fails_and_says_why(check, source, message):
    n_right, (problem,) = check(f"It is .757 <!-- source: {source} -->.")
    assert n_right == 0
    assert problem.startswith("docs/page.md:1: ")
    assert message in problem


CELLS = """Text 3.

| method | labels | AUC | AUPR |
| --- | --- | --- | --- |
| `latent 5` | 12 | **.757** (.726 to .783) | |
| other | 1 | 7 | 8 |
| probe | 12 | .770 (.746 to .792) | .404 |
<!-- source: file.csv aspect=mean stratum="band, mean"
columns: - | - | metric=auc | metric=aupr
rows: method=latent | - | method=probe -->
"""


def test_a_table_is_checked_cell_by_cell_with_its_intervals(check):
    assert check(CELLS) == (7, [])
    _, (problem,) = check(CELLS.replace(".746", ".745"))
    assert problem.startswith("docs/page.md:7: written .745, found 0.746")
    _, (problem,) = check(CELLS.replace("method=latent | -", "method=latent"))
    assert "the table has 3 rows, its source 2" in problem
    _, (problem,) = check(CELLS.replace("- | - |", "- |"))
    assert "has 4 cells, its source 3" in problem
    _, (problem,) = check(CELLS.replace("rows:", "lines:"))
    assert "needs 'columns:' and then 'rows:'" in problem


def test_three_numbers_of_an_aggregate_are_the_mean_with_the_least_and_the_greatest(check):
    table = "| a | b |\n| --- | --- |\n| x | .760 (.750 to .770) |\n| y | .77 / .404 |\n"
    columns = "columns: - | aspect=mean\nrows: method=latent metric=auc stratum= aggregate=mean "
    last = "| method=probe metric=auc,aupr -->"
    assert check(f"{table}<!-- source: file.csv\n{columns}{last}") == (5, [])


def test_a_comment_that_would_end_its_paragraph_is_refused(check):
    _, (problem,) = check(f"It is .757\n<!-- source: {OVER} method=latent metric=auc -->.")
    assert "put it behind the number" in problem


def test_numbers_in_code_links_and_names_are_not_taken_for_claims(check):
    source = f"<!-- source: {OVER} method=latent metric=auc -->"
    assert check(f".757 in [layers](2.md) of `a 3` and ESM-2 x5 F1 {source}") == (1, [])
    assert check(f"```\n.9 {source}\n```\nand `.9 {source}`") == (0, [])


def test_the_readme_has_a_limit_of_words_that_a_reader_sees(check):
    page = "word " * claims.MAX_WORDS + "<!-- hidden words do not count -->"
    assert check(page, "README.md") == (0, [])
    assert check(page + " one", "docs/page.md") == (0, [])
    _, (problem,) = check(page + " one", "README.md")
    assert problem == f"README.md:1: {claims.MAX_WORDS + 1} words, more than {claims.MAX_WORDS}"


def test_the_pages_of_the_project_agree_with_its_results():
    n_right, problems = claims.check(claims.pages(claims.ROOT), claims.Results(claims.ROOT / "docs/results"))
    assert problems == []
    assert n_right > 300
