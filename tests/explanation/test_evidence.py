"""Sentences: what is known is said, what is not known is left out."""

import pytest
from pydantic import ValidationError

from protsae.explanation.config import ExplanationConfig, LlmConfig
from protsae.explanation.evidence import Agreement, Evidence, ordered, sentence
from protsae.explanation.rules import Concept, Letters, Rule

KINASE = Agreement(3, "GO:3", "kinase activity", "protein", 0.61, 0.2)
SITE = Agreement(5, "site", "zinc site", "residue", 0.7, 0.01)


def test_sentences_say_what_is_known():
    assert sentence(Evidence(0, 0)) == "Fires on no validation protein."
    few = Evidence(0, 4, (KINASE,), is_tested=False)
    assert sentence(few) == (
        "Fires in 4 validation proteins, too few to tell what predicts it; agrees best with kinase activity "
        "(F1 of proteins 0.61 on validation, 0.20 if it always fired)."
    )
    assert sentence(Evidence(0, 40)) == "Fires where none of its evidence predicts it."
    rule = Rule((Letters("CH"), Concept(5, "zinc site", "residue")))
    known = Evidence(0, 40, (SITE, KINASE), own=KINASE, shape="short", rule=rule)
    assert sentence(known) == (
        "Fires in short stretches, on C or H, inside zinc site; agrees best with zinc site (F1 of residues "
        "0.70 on validation, 0.01 if it always fired); was tied to kinase activity in training."
    )
    same = Evidence(0, 40, (KINASE,), own=KINASE, shape="dead", rule=rule)
    assert "tied" not in sentence(same) and "dead" not in sentence(same)


def test_the_concept_is_the_one_with_the_largest_margin():
    assert ordered(0.2, KINASE, SITE) == (SITE, KINASE)
    assert ordered(0.5, KINASE, None, SITE) == (SITE,)
    assert Evidence(0, 1, (SITE, KINASE)).concept_id == "site"
    assert Evidence(0, 1).concept_id == ""


@pytest.mark.parametrize(
    "settings",
    [{"motif_flank": 9, "flank": 8}, {"min_windows": 60}, {"medium": 0.4}],
)
def test_settings_that_contradict_each_other_are_refused(settings):
    with pytest.raises(ValidationError, match="exceeds"):
        ExplanationConfig(**settings)


def test_a_model_that_is_used_needs_a_name():
    with pytest.raises(ValidationError, match="name the model"):
        LlmConfig(use="explain")
    with pytest.raises(ValidationError, match="base_url"):
        LlmConfig(base_url="file:///etc/passwd")
