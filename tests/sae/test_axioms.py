"""Axiom losses against plain Python."""

import pandas as pd
import pytest
import torch

from protsae.core.errors import InputError
from protsae.sae import axioms as ax

G = 0.1
GENERATOR = torch.Generator().manual_seed(0)
CENTRES = torch.randn(6, 3, generator=GENERATOR, dtype=torch.float64)
RADII = torch.rand(6, generator=GENERATOR, dtype=torch.float64)
RELATIONS = torch.randn(2, 3, generator=GENERATOR, dtype=torch.float64)
# The relation column of NF4 holds small numbers: looked up as a class, it gives other radii.
NF1 = [(0, 1), (2, 1), (4, 5), (3, 3)]
TRIPLES = [(5, 0, 2), (3, 1, 4), (2, 1, 0)]


def _d(a, b):
    return sum((float(p) - float(q)) ** 2 for p, q in zip(a, b, strict=True)) ** 0.5


def _mean(values):
    return sum(values) / len(values)


def nf1(axioms):
    return _mean(
        [max(_d(CENTRES[c], CENTRES[d]) + float(RADII[c]) - float(RADII[d]) - G, 0) for c, d in axioms]
    )


def nf2(axioms):
    total = []
    for c, d, e in axioms:
        rc, rd = float(RADII[c]), float(RADII[d])
        total.append(
            max(_d(CENTRES[c], CENTRES[d]) - (rc + rd) - G, 0)
            + max(_d(CENTRES[e], CENTRES[c]) - rc - G, 0)
            + max(_d(CENTRES[e], CENTRES[d]) - rd - G, 0)
        )
    return _mean(total)


def nf3(axioms):
    return _mean(
        [
            max(_d(CENTRES[c] + RELATIONS[r], CENTRES[d]) + float(RADII[c] - RADII[d]) - G, 0)
            for r, c, d in axioms
        ]
    )


def nf4(axioms):
    return _mean(
        [
            max(_d(CENTRES[c], CENTRES[d] + RELATIONS[r]) - float(RADII[c] + RADII[d]) - G, 0)
            for c, r, d in axioms
        ]
    )


def disjoint(axioms):
    return _mean([max(float(RADII[c] + RADII[d]) - _d(CENTRES[c], CENTRES[d]) + G, 0) for c, d in axioms])


def test_every_form_equals_its_reference():
    nf3_rows = [(r, c, d) for c, r, d in TRIPLES]
    for value, expected in [
        (ax.nf1_loss(CENTRES, RADII, torch.tensor(NF1), G), nf1(NF1)),
        (ax.nf2_loss(CENTRES, RADII, torch.tensor(TRIPLES), G), nf2(TRIPLES)),
        (ax.nf3_loss(CENTRES, RADII, RELATIONS, torch.tensor(nf3_rows), G), nf3(nf3_rows)),
        (ax.nf4_loss(CENTRES, RADII, RELATIONS, torch.tensor(TRIPLES), G), nf4(TRIPLES)),
        (ax.disjointness_loss(CENTRES, RADII, torch.tensor(NF1), G), disjoint(NF1)),
    ]:
        assert expected > 0.05
        assert float(value) == pytest.approx(expected, rel=1e-12)


def test_nf4_as_containment_equals_its_reference():
    excess = [
        _d(CENTRES[c], CENTRES[d] + RELATIONS[r]) + float(RADII[c] - RADII[d]) - G for c, r, d in TRIPLES
    ]
    value = ax.nf4_loss(CENTRES, RADII, RELATIONS, torch.tensor(TRIPLES), G, "containment")
    assert float(value) == pytest.approx(_mean([max(e, 0) for e in excess]), rel=1e-12)
    only = ax.AxiomIndices(torch.empty(0, 2).long(), torch.tensor(TRIPLES), 6, 2)
    assert ax.axiom_loss(CENTRES, RADII, RELATIONS, only, G, "containment") == value


def test_negatives_cost_what_the_ball_lacks_to_stick_out():
    """Centres 0, 3, 10 on a line, radii 1, 5, 1, margin .5: 0 lies 1 inside 1, and 2 sticks out by 3."""
    centres = torch.tensor([[0.0], [3.0], [10.0]], dtype=torch.float64)
    radii = torch.tensor([1.0, 5.0, 1.0], dtype=torch.float64)
    pairs = torch.tensor([[0, 1], [2, 1]])
    assert ax.negative_loss(centres, radii, pairs, 0.5) == (1 + 0.5) / 2
    only = ax.AxiomIndices(torch.empty(0, 2).long(), torch.empty(0, 3).long(), 3, 0, negatives=pairs)
    assert ax.axiom_loss(centres, radii, torch.zeros(0, 1), only, 0.5) == 0.75


def test_compiled_pairs_have_the_values_and_gradients_of_torch(monkeypatch):
    """Also where centres meet, and where a class is paired with itself."""
    pairs = torch.tensor([*NF1, (5, 2), (2, 1)])
    found = []
    for is_compiled in (True, False):
        with monkeypatch.context() as patch:
            if not is_compiled:
                patch.setattr(ax, "is_compiled_for", lambda *_: False)
            centres, radii = CENTRES.clone(), RADII.clone().requires_grad_()
            centres[5] = centres[2]
            centres.requires_grad_()
            excess = ax.nf1_excess(centres, radii, pairs)
            (excess * torch.arange(1.0, 7.0)).square().sum().backward()
            found.append((excess.detach(), centres.grad, radii.grad))
    for own, torchs in zip(*found, strict=True):
        torch.testing.assert_close(own, torchs, rtol=1e-12, atol=1e-12)
    assert found[0][1][0].abs().max() > 0.1
    assert torch.autograd.gradcheck(
        lambda c, r: ax.nf1_excess(c, r, torch.tensor([(0, 1), (2, 1), (4, 5)])),
        (CENTRES.clone().requires_grad_(), RADII.clone().requires_grad_()),
    )


def test_nf4_takes_the_radius_of_c_and_not_of_the_relation_number():
    """C = 5, relation 0, D = 2: only the radii of classes 5 and 2 get gradient."""
    radii = RADII.clone().requires_grad_()
    ax.nf4_loss(CENTRES * 9, radii, RELATIONS, torch.tensor([(5, 0, 2)]), G).backward()
    assert radii.grad.tolist() == [0, 0, -1, 0, 0, -1]


def test_ball_inside_costs_nothing_and_outside_its_excess():
    centres = torch.tensor([[0.0, 0.0], [0.3, 0.4], [3.0, 4.0]], dtype=torch.float64)
    radii = torch.tensor([1.0, 0.2, 0.5], dtype=torch.float64)
    assert ax.nf1_loss(centres, radii, torch.tensor([[1, 0]]), G) == 0
    assert float(ax.nf1_loss(centres, radii, torch.tensor([[2, 0]]), G)) == pytest.approx(5 + 0.5 - 1 - 0.1)


def test_axiom_loss_is_the_sum_of_the_forms_that_occur():
    both = ax.AxiomIndices(torch.tensor(NF1), torch.tensor(TRIPLES), 6, 2)
    one = ax.AxiomIndices(torch.tensor(NF1), torch.empty(0, 3, dtype=torch.int64), 6, 2)
    none = ax.AxiomIndices(torch.empty(0, 2).long(), torch.empty(0, 3).long(), 6, 0)
    args = (CENTRES, RADII, RELATIONS)
    assert float(ax.axiom_loss(*args, both, G)) == pytest.approx(nf1(NF1) + nf4(TRIPLES))
    assert float(ax.axiom_loss(*args, one, G)) == pytest.approx(nf1(NF1))
    assert ax.axiom_loss(*args, none, G) == 0


@pytest.mark.parametrize("form", ["nf2", "nf3", "disjoint"])
def test_every_other_form_reaches_the_loss(form: str):
    rows = {"nf2": TRIPLES, "nf3": [(r, c, d) for c, r, d in TRIPLES], "disjoint": NF1}[form]
    indices = ax.AxiomIndices(torch.tensor(NF1), torch.tensor(TRIPLES), 6, 2, **{form: torch.tensor(rows)})
    expected = {"nf2": nf2, "nf3": nf3, "disjoint": disjoint}[form](rows)
    assert expected > 0.05
    total = float(ax.axiom_loss(CENTRES, RADII, RELATIONS, indices, G))
    assert total == pytest.approx(nf1(NF1) + nf4(TRIPLES) + expected)


def test_a_table_of_every_form_gives_the_loss_worked_out_by_hand():
    """On a line: centres 0, 3, 10, 20; radii 1; relations 0 by 5, 1 by -2; margin 0.5.

    NF1 (0, 1): 3 + 1 - 1 - .5 = 2.5. NF2 (0, 1, 2): [3-2-.5] + [10-1-.5] + [7-1-.5] = .5 + 8.5 + 5.5 = 14.5.
    NF3 (relation 1, 2, 3): |10-2-20| + 1 - 1 - .5 = 11.5. NF4 (0, relation 0, 3): |0-25| - 2 - .5 = 22.5.
    DISJOINT (0, 1): 2 - 3 + .5 < 0, and (2, 2): 2 - 0 + .5 = 2.5, so their mean is 1.25.
    """
    table = pd.DataFrame(
        [
            ("DISJOINT", 0, -1, 1, -1),
            ("DISJOINT", 2, -1, 2, -1),
            ("NF1", 0, -1, 1, -1),
            ("NF2", 0, -1, 1, 2),
            ("NF3", 2, 1, 3, -1),
            ("NF4", 0, 0, 3, -1),
        ],
        columns=["normal_form", "c", "relation", "d", "e"],
    )
    indices = ax.AxiomIndices.from_table(table, 2)
    assert (indices.n_classes, indices.n_relations) == (4, 2)
    assert indices.nf2.tolist() == [[0, 1, 2]]
    assert indices.nf3.tolist() == [[1, 2, 3]]
    assert indices.disjoint.tolist() == [[0, 1], [2, 2]]
    centres = torch.tensor([[0.0], [3.0], [10.0], [20.0]])
    loss = ax.axiom_loss(centres, torch.ones(4), torch.tensor([[5.0], [-2.0]]), indices, 0.5)
    assert float(loss) == pytest.approx(2.5 + 14.5 + 11.5 + 22.5 + 1.25)


def test_classes_and_relations_of_the_rarer_forms_are_counted():
    table = _table(("NF2", 0, -1, 1, 7), ("NF3", 2, 4, 3, -1), ("NF4", 0, 1, 3, -1))
    indices = ax.AxiomIndices.from_table(table, 2)
    assert (indices.n_classes, indices.n_relations) == (8, 5)


def _table(*rows):
    columns = ["normal_form", "c", "relation", "d", "e"]
    return pd.DataFrame([(*row, -1)[:5] for row in rows], columns=columns)


def test_table_becomes_indices():
    indices = ax.AxiomIndices.from_table(_table(("NF1", 0, -1, 3), ("NF4", 1, 1, 5), ("NF1", 2, -1, 0)), 3)
    assert indices.nf1.tolist() == [[0, 3], [2, 0]]
    assert indices.nf4.tolist() == [[1, 1, 5]]
    assert (indices.n_classes, indices.n_relations) == (6, 2)


def test_a_table_without_axioms_has_only_concepts():
    indices = ax.AxiomIndices.from_table(_table(), 3)
    assert (indices.nf1.shape, indices.nf4.shape, indices.n_classes, indices.n_relations) == (
        (0, 2),
        (0, 3),
        3,
        0,
    )


def test_other_forms_are_refused():
    with pytest.raises(InputError, match=r"form NF9 are unknown: .* NF1, NF2, NF3, NF4, DISJOINT"):
        ax.AxiomIndices.from_table(_table(("NF9", 0, -1, 3)), 3)
