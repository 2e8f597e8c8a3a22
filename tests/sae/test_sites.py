"""Sites of concepts: hand-made cases, scikit-learn, and ProtSAE's codes where sites decide."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, log_loss
from torch import Tensor

from protsae.sae.base import TrainingBatch
from protsae.sae.guidance import Supervision, average_precision
from protsae.sae.guidance_config import GuidanceConfig
from protsae.sae.protsae import ProtSae
from protsae.sae.sites import Sites


def supervision(labels: list[list[float]], segment: list[int], evidence: Tensor | None = None) -> Supervision:
    of = torch.tensor(labels, dtype=torch.float64)
    known = torch.ones(of.shape, dtype=torch.bool)
    return Supervision(torch.tensor(segment), of, known, None, evidence=evidence)


def made_sites(n_residue_level: int = 0) -> Sites:
    """Two concepts over two dimensions: each logit is one of them."""
    is_residue_level = torch.tensor([False, n_residue_level > 0])
    sites = Sites(is_residue_level, 2).double()
    with torch.no_grad():
        sites.weight.copy_(torch.eye(2, dtype=torch.float64))
    return sites


def test_share_is_a_hand_made_one():
    sites = made_sites()
    sites.threshold.copy_(torch.tensor([1.0, 0.0]))
    found = sites(torch.tensor([[3.0, -1.0], [0.5, 2.0]], dtype=torch.float64))
    assert found.numpy() == pytest.approx(np.array([[np.tanh(1), 0], [0, np.tanh(1)]]))


def test_concepts_of_residues_and_given_up_sites_are_everywhere():
    sites = made_sites(1)
    assert sites(torch.tensor([[-5.0, -5.0]], dtype=torch.float64)).tolist() == [[0, 1]]
    sites.is_used.fill_(False)
    assert sites(torch.tensor([[-5.0, -5.0]], dtype=torch.float64)).tolist() == [[1, 1]]


def test_the_loss_is_scikit_learns_in_proteins_with_the_concept():
    generator = torch.Generator().manual_seed(0)
    seen = torch.randn(8, 2, generator=generator, dtype=torch.float64)
    evidence = torch.rand(8, 2, generator=generator, dtype=torch.float64)
    batch = supervision([[1, 0], [0, 1]], [0, 0, 0, 1, 1, 1, 1, 1], evidence)
    sites = made_sites()
    pairs = [(seen[:3, 0], evidence[:3, 0]), (seen[3:, 1], evidence[3:, 1])]
    logits, targets = (torch.cat(part).numpy() for part in zip(*pairs, strict=True))
    p = 1 / (1 + np.exp(-logits))
    both = np.tile([1, 0], (len(p), 1)).T.ravel()  # a soft label is a weighted pair of hard ones
    expected = log_loss(
        both,
        np.concatenate([p, p]),
        sample_weight=np.concatenate([targets, 1 - targets]),
    )
    assert float(sites.loss(seen, batch).detach()) == pytest.approx(expected)


def test_thresholds_follow_proteins_with_the_concept_alone():
    seen = torch.tensor([[4.0, 0], [3, 0], [2, 0], [1, 0], [100, 0]], dtype=torch.float64)
    sites = made_sites()
    sites.rate.fill_(0.25)
    sites.follow(seen, supervision([[1, 0], [0, 0]], [0, 0, 0, 0, 1]), openness=2.0, momentum=0.0)
    assert sites.threshold.tolist() == [2.5, 0]  # half of the four residues; nobody has the other concept


def test_the_gate_opens_at_a_share_of_the_sites():
    seen = torch.tensor([[1.0, 0], [1, 0], [-1, 0], [1, 0]], dtype=torch.float64)
    logits = torch.tensor([[5.0, 0], [3, 0], [1, 0], [7, 0]], dtype=torch.float64)
    batch = supervision([[1, 0], [0, 0]], [0, 0, 0, 1])
    found = made_sites().sensitive(seen, logits, batch, sensitivity=0.5)
    assert float(found[0]) == 4.0 and bool(found[1].isnan())


def test_a_concept_that_lies_elsewhere_gives_up_its_sites():
    # Sites are the first three residues. Of the first concept the logits tell there, of the second elsewhere.
    n_proteins, n_residues = 40, 10
    labels = [[float(i % 2), float(i % 2)] for i in range(n_proteins)]
    segment = [i for i in range(n_proteins) for _ in range(n_residues)]
    batch = supervision(labels, segment)
    site = torch.arange(n_residues).repeat(n_proteins) < 3
    seen = torch.stack([site * 4.0 - 2, site * 4.0 - 2], dim=1).double()
    sign = 2 * batch.labels[batch.segment] - 1
    logits = torch.stack([sign[:, 0] * site, sign[:, 1] * ~site - 2 * sign[:, 1] * site], dim=1)
    sites = made_sites()
    sites.choose(
        [(seen[part], logits[part], batch_of(batch, part)) for part in (slice(0, 200), slice(200, 400))]
    )
    assert sites.is_used.tolist() == [True, False]
    sites.rate[0] = 0.8  # evidence nearly everywhere
    sites.choose([(seen, logits, batch)])
    assert sites.is_used.tolist() == [False, False]


def batch_of(batch: Supervision, part: slice) -> Supervision:
    """Return whole proteins of a batch."""
    segment = batch.segment[part]
    rows = segment.unique()
    return batch._replace(segment=segment - rows[0], labels=batch.labels[rows], labelled=batch.labelled[rows])


def test_average_precision_is_scikit_learns():
    generator = torch.Generator().manual_seed(1)
    scores, known = torch.randn(50, 3, generator=generator), torch.rand(50, 3, generator=generator) < 0.7
    labels = (torch.rand(50, 3, generator=generator) < 0.4).float()
    labels[:, 2] = 0
    found = average_precision(scores, labels, known)
    for column in range(2):
        of = known[:, column]
        expected = average_precision_score(labels[of, column].numpy(), scores[of, column].numpy())
        assert float(found[column]) == pytest.approx(expected, abs=1e-6)
    assert float(found[2]) == 0


@pytest.mark.parametrize("forced", [True, False])
def test_codes_are_excess_times_sites(make_protsae: Callable[..., ProtSae], x: Tensor, forced: bool):
    sae = make_protsae(locate=True, forced_activation=forced)
    assert sae.sites is not None
    with torch.no_grad():
        sae.sites.weight.copy_(
            torch.randn(sae.sites.weight.shape, generator=torch.Generator().manual_seed(5))
        )
    codes = sae.codes(x)
    scaled = sae.scale_input(x)
    share = sae.sites(sae._predictor_input(scaled))
    logits = sae.predictor_logits(x)
    excess = torch.relu(logits - sae.gate_logit) * share
    assert 0 < int((excess > 0).sum()) < int((logits > sae.gate_logit).sum())
    torch.testing.assert_close(codes.excess, excess)
    torch.testing.assert_close(codes.drive, sae.log_scale.exp() * excess)
    assert ((codes.defined > 0) == (excess > 0)).all() if forced else (codes.defined == codes.drive).all()
    torch.testing.assert_close(codes.gates[0], logits)  # proteins are scored by all residues


@pytest.mark.parametrize("defined_bias", ["free", "none"])
def test_a_latent_with_a_bias_of_its_own_has_no_sites(defined_bias: str):
    with pytest.raises(ValueError, match=f"locate goes with defined_bias 'tied', not '{defined_bias}'"):
        GuidanceConfig(locate=True, defined_bias=defined_bias)


def test_training_needs_evidence(make_protsae: Callable[..., ProtSae], batch: TrainingBatch):
    sae = make_protsae(locate=True)
    with pytest.raises(ValueError, match="locate trains on batches with evidence"):
        sae.step_output(batch)
    output = sae.step_output(replace(batch, evidence=torch.rand(20, 4, dtype=torch.float64)))
    assert "loss/site" in output.losses
