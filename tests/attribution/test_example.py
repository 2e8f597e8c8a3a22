"""The example of docs/attribution.md runs, and what the page says of it is so."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/attribution.md").read_text(encoding="utf-8")


@pytest.mark.end_to_end
def test_the_example_on_the_page_gives_what_the_page_says(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict = {}
    exec(code, names)
    found = names["found"]
    assert capsys.readouterr().out
    assert f"The logit is {found.full:.2f} with all latents and {found.empty:.2f} without any." in PAGE
    first = found.latents.iloc[0]
    assert names["sae"].concept_ids[int(first["latent"])] == names["target"].concept_id
    carried = (
        f"carries {first['integrated_gradients']:.2f} of the difference of {found.full - found.empty:.2f}"
    )
    assert f"Latent {int(first['latent'])}, which is the one named after this subgroup, {carried}" in PAGE
    kept = found.summary.set_index(["what", "method"])["n_kept"]
    assert kept["latents", "integrated_gradients"] == kept["latents", "learned_mask"] == 2
    region = found.regions.iloc[0]
    said = f"residues {region['start'] + 1:.0f} to {region['end']:.0f} alone give a probability of"
    assert f"{said} {region['insight']:.3f}".replace("0.", ".") in PAGE
