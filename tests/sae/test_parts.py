"""Several workers: what the parts of a batch give averages to what the whole batch gives."""

from dataclasses import replace

import pytest
import torch

from protsae.sae.registry import ARCHITECTURES

WEIGHTED = {"relu": {"aux_coefficient": 0.5}, "gba": {"n_groups": 4}}
SHARED = [name for name, kind in ARCHITECTURES.items() if kind.takes_parts]


def part(batch, first, last):
    here = (batch.segment >= first) & (batch.segment < last)
    return replace(
        batch,
        x=batch.x[here],
        segment=batch.segment[here] - first,
        labels=batch.labels[first:last],
        labelled=batch.labelled[first:last],
    )


def as_workers(sae, parts):
    """The outputs of the parts, each as computed by a worker that has the others' counts."""
    counts = []
    for one in parts:
        counts.append([])
        sae.step_output(replace(one, mean=lambda mean, count: counts[-1].append(float(count)) or mean))
    totals = [sum(of_parts) for of_parts in zip(*counts, strict=True)]
    for one, own in zip(parts, counts, strict=True):
        shares = iter([len(parts) * count / total for count, total in zip(own, totals, strict=True)])
        yield sae.step_output(replace(one, mean=lambda mean, _, shares=shares: mean * next(shares)))


@pytest.mark.parametrize("architecture", SHARED)
def test_parts_average_to_the_whole(architecture, make_unguided, make_protsae, batch):
    """Losses, gradients and what `after_step` needs, with two dead latents for AuxK."""
    given = WEIGHTED.get(architecture, {})
    sae = make_protsae() if architecture == "protsae" else make_unguided(architecture, **given)
    dead = torch.arange(16) >= 14
    batch = replace(batch, dead=dead)
    whole = sae.step_output(batch)
    whole.losses["loss/total"].backward()
    expected = {name: p.grad.clone() for name, p in sae.named_parameters() if p.grad is not None}
    sae.zero_grad()
    outputs = list(as_workers(sae, [part(batch, 0, 2), part(batch, 2, 3)]))
    for term, value in whole.losses.items():
        torch.testing.assert_close(sum(o.losses[term] for o in outputs) / 2, value, msg=term)
    (sum(output.losses["loss/total"] for output in outputs) / 2).backward()
    for name, gradient in expected.items():
        torch.testing.assert_close(sae.get_parameter(name).grad, gradient, msg=name)
    assert set(whole.statistics) == set(sae.merged)
    for name, value in whole.statistics.items():
        of_parts = torch.stack([output.statistics[name] for output in outputs])
        joined = of_parts.sum(dim=0) if sae.merged[name] == "sum" else of_parts.amax(dim=0)
        torch.testing.assert_close(joined, value)


def test_those_that_choose_codes_among_the_whole_batch_take_no_parts():
    assert set(ARCHITECTURES) - set(SHARED) == {"batch_topk", "matryoshka", "splice"}
