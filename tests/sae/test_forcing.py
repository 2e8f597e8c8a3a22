"""Forced activation and the scope of TopK, against loops over residues."""

import pytest
import torch

from protsae.sae.forcing import choose, choose_open, is_plain
from protsae.sae.guidance_config import GuidanceConfig

N, M, K, N_FREE = 12, 5, 4, 9
GENERATOR = torch.Generator().manual_seed(0)
EVIDENCE = torch.randn(N, M, generator=GENERATOR, dtype=torch.float64)
DRIVE = (3 * torch.rand(M, generator=GENERATOR, dtype=torch.float64) * EVIDENCE).clamp_min(0)
FREE = torch.randn(N, K, generator=GENERATOR, dtype=torch.float64).add(0.8).clamp_min(0)


def _kept(defined, free):
    """Zero all but the k largest of one residue's codes."""
    order = sorted(range(M + K), key=lambda i: (*defined, *free)[i], reverse=True)[:K]
    codes = [value if i in order else 0.0 for i, value in enumerate((*defined, *free))]
    return codes[:M], codes[M:]


def _reference(drive, evidence, free, guidance):
    if guidance.topk_scope == "before":
        drive, free = _kept(drive, free)
    positive = [value for value in free if value > 0]
    count = N_FREE if guidance.forced_mean == "all" else max(len(positive), 1)
    n_open = sum(e > 0 for e in evidence)
    level = guidance.forced_scale * sum(positive) / count
    if guidance.forced_share == "root":
        level /= max(n_open, 1) ** 0.5
    strongest = sorted(range(M), key=lambda c: evidence[c], reverse=True)[: guidance.forced_limit or M]
    defined = [
        max(drive[c], level)
        if guidance.forced_activation and evidence[c] > 0 and c in strongest
        else drive[c]
        for c in range(M)
    ]
    if guidance.topk_scope == "after":
        defined, free = _kept(defined, free)
    return [*defined, *free]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"forced_activation": False},
        {"forced_mean": "all"},
        {"forced_scale": 0.3},
        {"forced_share": "root"},
        {"forced_limit": 2},
        {"forced_limit": M},
        {"topk_scope": "before"},
        {"topk_scope": "after"},
        {"topk_scope": "after", "forced_activation": False},
        {"topk_scope": "before", "forced_limit": 1, "forced_share": "root", "forced_scale": 2.0},
    ],
    ids=str,
)
def test_codes_equal_a_loop(settings):
    guidance = GuidanceConfig(**settings)
    chosen = choose(DRIVE, EVIDENCE, FREE, n_free=N_FREE, k=K, guidance=guidance)
    expected = [
        _reference(*(values.tolist() for values in row), guidance)
        for row in zip(DRIVE, EVIDENCE, FREE, strict=True)
    ]
    found, wanted = torch.cat([chosen.defined, chosen.free], dim=1), torch.tensor(expected).double()
    if guidance.topk_scope == "after" and guidance.forced_activation:
        # Lifted latents are of one height: which of them take the last places is arbitrary.
        found, wanted = found.sort(dim=1).values, wanted.sort(dim=1).values
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("scope", ["free", "before", "after"])
def test_a_lift_is_never_negative_and_closed_gates_have_none(scope):
    chosen = choose(DRIVE, EVIDENCE, FREE, n_free=N_FREE, k=K, guidance=GuidanceConfig(topk_scope=scope))
    lift = chosen.defined - chosen.drive
    assert lift.min() == 0 < lift.max()
    assert not lift[EVIDENCE <= 0].any()


@pytest.mark.parametrize("scope", ["before", "after"])
def test_all_latents_compete_for_k_places(scope):
    guidance = GuidanceConfig(topk_scope=scope, forced_activation=False)
    chosen = choose(DRIVE, EVIDENCE, FREE, n_free=N_FREE, k=K, guidance=guidance)
    active = (torch.cat([chosen.defined, chosen.free], dim=1) > 0).sum(dim=1)
    assert active.max() == K
    alone = choose(
        DRIVE, EVIDENCE, FREE, n_free=N_FREE, k=K, guidance=GuidanceConfig(forced_activation=False)
    )
    assert (torch.cat([alone.defined, alone.free], dim=1) > 0).sum(dim=1).max() > K


@pytest.mark.parametrize(
    "settings",
    [
        {"forced_scale": 1.0},
        {"forced_activation": False},
        {"forced_mean": "all", "forced_scale": 9.0},
        {"forced_share": "root", "forced_scale": 1.5},
    ],
    ids=str,
)
def test_codes_at_open_gates_have_equal_values_and_gradients(settings):
    guidance = GuidanceConfig(**settings)
    assert is_plain(guidance)
    weights = torch.randn(N, M, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = []
    for way in ("dense", "graph of the logits", "compiled"):
        scale = torch.linspace(0.5, 2, M).double().requires_grad_()
        free, gate_logit = FREE.clone().requires_grad_(), torch.linspace(-1, 1, M).double()
        logits = (EVIDENCE + gate_logit).requires_grad_(way != "compiled")
        if way == "dense":
            evidence = logits - gate_logit
            chosen = choose((scale * evidence).relu(), evidence, free, n_free=N_FREE, k=K, guidance=guidance)
            defined, drive = chosen.defined, chosen.drive.detach()
        else:
            codes, driven = choose_open(scale, logits, gate_logit, free, n_free=N_FREE, guidance=guidance)
            defined, drive = codes.dense(M), codes._replace(values=driven).dense(M)
            assert all(len(set(row)) == len(row) for row in codes.columns.tolist())
        (defined * weights).sum().backward()
        found.append((defined, drive, scale.grad, free.grad, logits.grad))
    for expected, *others in zip(*found, strict=True):
        for other in others:
            if expected is not None and other is not None:
                torch.testing.assert_close(other, expected, rtol=1e-13, atol=1e-13)
    assert found[2][2].abs().max() > 0
    assert (found[2][3] is None or not found[2][3].any()) == (not guidance.forced_activation)


@pytest.mark.parametrize("other", [{"defined_bias": "free"}, {"topk_scope": "after"}, {"forced_limit": 2}])
def test_other_settings_are_not_plain(other):
    assert not is_plain(GuidanceConfig(**other))
