"""The geometry of predictors is measured on the dictionary itself."""

import numpy as np
import pandas as pd
import pytest
import torch

from protsae.core.errors import InputError
from protsae.encoding.run import Run
from protsae.probing.subsumption import subsumption_rows
from protsae.sae.config import ProtSaeConfig, TopKConfig
from protsae.sae.protsae import ProtSae
from protsae.sae.topk import TopKSae

RUN = Run(method="protsae", seed=5, hook_point="layers.1.resid_post", k=4)
CONCEPTS = pd.DataFrame({"concept_idx": [0, 1, 2], "concept_id": ["a", "b", "c"], "aspect": "MFO"})
AXIOMS = pd.DataFrame(  # 0 below 3 below 1: the way leads over a zero concept
    {"normal_form": ["NF1", "NF1", "NF4"], "c": [0, 3, 2], "relation": [-1, -1, 0], "d": [3, 1, 0]}
)


def test_subsumption_follows_axioms_over_zero_concepts():
    config = ProtSaeConfig(d_model=2, d_sae=8, k=2, concept_ids=("a", "b", "c"), n_zero=1, n_relations=1)
    sae = ProtSae(config, torch.Generator().manual_seed(0))
    with torch.no_grad():
        sae.W_pred.copy_(torch.tensor([[0.0, 0.0], [0.1, 0.0], [9.0, 9.0]]))
        sae.radius.copy_(torch.tensor([1.0, 3.0, 1.0, 2.0]))
    table = subsumption_rows(sae, RUN, AXIOMS, CONCEPTS).set_index("metric")
    assert table.loc["subsumption_auc", "value"] == 1.0
    assert table.loc["subsumption_auc", ["method", "seed", "k", "n"]].tolist() == ["protsae", 5, 4, 3]
    with torch.no_grad():
        sae.radius.copy_(torch.tensor([3.0, 1.0, 1.0, 2.0]))
    table = subsumption_rows(sae, RUN, AXIOMS, CONCEPTS).set_index("metric")
    assert table.loc["subsumption_auc", "value"] == pytest.approx(np.mean([1, 1, 1, 1, 0]), abs=0.21)
    assert table.loc["subsumption_auc", "value"] < 1


def test_a_dictionary_of_other_concepts_is_refused():
    config = ProtSaeConfig(d_model=2, d_sae=8, k=2, concept_ids=("b", "a", "c"))
    with pytest.raises(InputError, match="in another order: train it again"):
        subsumption_rows(ProtSae(config), RUN, AXIOMS, CONCEPTS)
    config = ProtSaeConfig(d_model=2, d_sae=8, k=2, concept_ids=("a", "b"))
    with pytest.raises(InputError, match="on 2 concepts, the table has 3, such as c"):
        subsumption_rows(ProtSae(config), RUN, AXIOMS, CONCEPTS)


def test_a_dictionary_without_concepts_has_no_geometry():
    sae = TopKSae(TopKConfig(d_model=2, d_sae=4, k=1), torch.Generator().manual_seed(0))
    assert subsumption_rows(sae, RUN, AXIOMS, CONCEPTS).empty
