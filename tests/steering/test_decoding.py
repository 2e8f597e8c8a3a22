"""Decoding under edits against fair-esm's own modules with hooks, and what must not change."""

import numpy as np
import pytest
import torch
from tests.plm.tiny_esm2 import D_MODEL, random_sequences, tiny_esm2, tiny_model

from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.sae.config import TopKConfig
from protsae.sae.topk import TopKSae
from protsae.steering.config import DecodingConfig
from protsae.steering.decoding import Decoder, Template
from protsae.steering.edits import DirectionEdit, JointEdit, LatentEdit
from protsae.steering.naturalness import pseudo_perplexity

HOOK_POINT = "layers.1.resid_post"
TEXTS = random_sequences([30, 12, 45, 21])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def sae():
    sae = TopKSae(TopKConfig(d_model=D_MODEL, d_sae=32, k=4), torch.Generator().manual_seed(0))
    sae.set_input_statistics(torch.linspace(-1, 1, D_MODEL), 40.0)
    return sae.eval()


def templates(share=0.5):
    generator = np.random.default_rng(0)
    return [Template(f"P{i}", text, generator.random(len(text)) < share) for i, text in enumerate(TEXTS)]


def hooked_log_probabilities(text, masked, change):
    """Return fair-esm's log-probabilities of the twenty amino acids at masked residues, one protein alone."""
    module = tiny_esm2()
    _, _, tokens = module.alphabet.get_batch_converter()([("", text)])
    tokens[0, 1 + torch.from_numpy(np.flatnonzero(masked))] = module.mask_idx

    def hook(_module, _args, output):
        x = output[0].clone()  # [tokens, 1, d_model]
        x[1:-1, 0] = change(x[1:-1, 0])
        return (x, *output[1:])

    module.layers[1].register_forward_hook(hook)
    with torch.no_grad():
        logits = module(tokens)["logits"][0, 1:-1][torch.from_numpy(masked)]
    letters = [module.alphabet.get_idx(letter) for letter in AMINO_ACIDS]
    return torch.log_softmax(logits[:, letters].double(), dim=1).numpy()


def slowly_changed(sae, x, raised, suppressed, mode, strength, keep_error):
    """Return what `LatentEdit` stands for, latent by latent."""
    codes = sae.encode(x)
    error = x - sae.decode(codes)
    for latent, largest in raised.items():
        old = codes[:, latent]
        codes[:, latent] = {
            "add": old + strength,
            "add_max": old + strength * largest,
            "set": torch.full_like(old, strength * largest),
            "multiply": strength * old,
        }[mode]
    for latent in suppressed:
        codes[:, latent] = 0
    return sae.decode(codes) + (error if keep_error else 0)


@pytest.mark.parametrize("keep_error", [True, False])
@pytest.mark.parametrize("mode", ["add", "add_max", "set", "multiply"])
@pytest.mark.parametrize("suppressed", [(), (3, 9)])
def test_patched_logits_equal_fair_esm_with_hooks(model, sae, mode, keep_error, suppressed):
    raised = {5: 2.0, 17: 0.5}
    edit = LatentEdit(sae, raised, suppressed, mode, keep_error)
    decoder = Decoder(model, HOOK_POINT, DecodingConfig())
    masked = np.concatenate([template.masked for template in templates()])
    found = decoder.log_probabilities(TEXTS, torch.from_numpy(masked), edit, 1.5)
    expected = [
        hooked_log_probabilities(
            template.sequence,
            template.masked,
            lambda x: slowly_changed(sae, x, raised, suppressed, mode, 1.5, keep_error),
        )
        for template in templates()
    ]
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=0, atol=1e-5)
    plain = decoder.log_probabilities(TEXTS, torch.from_numpy(masked))
    assert np.abs(found - plain).max() > 1e-4  # ten times the tolerance


@pytest.mark.parametrize(
    "config", [{}, {"rounds": 1}, {"temperature": 1.0, "n_samples": 3}, {"max_mutations": 4}]
)
def test_strength_0_with_the_error_gives_the_unsteered_sequences(model, sae, config):
    decoder = Decoder(model, HOOK_POINT, DecodingConfig(**config))
    plain = decoder.decode(templates())
    edits = (
        LatentEdit(sae, {5: 2.0}),
        LatentEdit(sae, {5: 2.0}, mode="add"),
        DirectionEdit(torch.ones(D_MODEL)),
        JointEdit([LatentEdit(sae, {5: 2.0}), DirectionEdit(torch.ones(D_MODEL))]),
    )
    for edit in edits:
        assert decoder.decode(templates(), edit, 0.0) == plain
        assert decoder.decode(templates(), edit, 9.0) != plain


def test_suppressing_a_latent_that_never_fires_changes_nothing(model, sae):
    decoder = Decoder(model, HOOK_POINT, DecodingConfig())
    plain = decoder.decode(templates())
    silent = TopKSae(TopKConfig(d_model=D_MODEL, d_sae=32, k=4), torch.Generator().manual_seed(0))
    silent.load_state_dict(sae.state_dict())
    with torch.no_grad():
        silent.b_enc[7] = -1e6
    assert decoder.decode(templates(), LatentEdit(silent, suppressed=[7])) == plain
    assert decoder.decode(templates(), LatentEdit(silent, suppressed=list(range(32)))) != plain


def test_masked_residues_alone_are_written_whatever_stood_there(model):
    decoder = Decoder(model, HOOK_POINT, DecodingConfig())
    designs = decoder.decode(templates())
    for template, design in zip(templates(), designs, strict=True):
        pairs = zip(template.sequence, design.sequence, template.masked, strict=True)
        assert all(old == new for old, new, masked in pairs if not masked)
        assert {new for new, masked in zip(design.sequence, template.masked, strict=True) if masked} <= set(
            AMINO_ACIDS
        )
    blank = [
        Template(
            t.protein_id,
            "".join("A" if m else c for c, m in zip(t.sequence, t.masked, strict=True)),
            t.masked,
        )
        for t in templates()
    ]
    assert [d.sequence for d in decoder.decode(blank)] == [d.sequence for d in designs]


def test_rounds_by_confidence_equal_a_slow_version(model, sae):
    edit = LatentEdit(sae, {5: 2.0})
    config = DecodingConfig(rounds=3, falling=True)
    decoder = Decoder(model, HOOK_POINT, config)
    for template, design in zip(templates(), decoder.decode(templates(), edit, 2.0), strict=True):
        letters, masked, n = list(template.sequence), template.masked.copy(), template.masked.sum()
        for turn in range(3):
            strength = 2.0 * (3 - turn) / 3
            found = hooked_log_probabilities(
                "".join(letters),
                masked,
                lambda x, s=strength: slowly_changed(sae, x, {5: 2.0}, (), "add_max", s, True),
            )
            by_place = dict(zip(np.flatnonzero(masked), found, strict=True))
            surest = sorted(by_place, key=lambda i: -by_place[i].max())
            for i in surest[: int(np.ceil(n * (turn + 1) / 3)) - int(n - masked.sum())]:
                letters[i] = AMINO_ACIDS[int(by_place[i].argmax())]
                masked[i] = False
        assert "".join(letters) == design.sequence


@pytest.mark.parametrize("config", [{"rounds": 3, "falling": True}, {"rounds": 1, "temperature": 1.0}])
def test_several_doses_at_once_give_what_each_gives_alone(model, sae, config):
    decoder = Decoder(model, HOOK_POINT, DecodingConfig(**config, tokens_per_batch=60))
    edit = LatentEdit(sae, {5: 2.0})
    doses = [(None, 0.0), (edit, 2.0), (edit, 9.0), (DirectionEdit(torch.ones(D_MODEL)), 3.0)]
    found = decoder.decode_each(templates(), doses)
    assert found == [decoder.decode(templates(), *dose) for dose in doses]
    assert len({of[0].confidence for of in found}) == 4


def test_log_probabilities_of_true_residues_under_each_edit(model, sae):
    decoder = Decoder(model, HOOK_POINT, DecodingConfig(tokens_per_batch=60))
    edit = LatentEdit(sae, {5: 2.0})
    found = decoder.true_log_probabilities(templates(), [None, edit], 1.5)
    for j, template in enumerate(templates()):
        for i, strength in enumerate((0.0, 1.5)):
            logs = hooked_log_probabilities(
                template.sequence,
                template.masked,
                lambda x, s=strength: slowly_changed(sae, x, {5: 2.0}, (), "add_max", s, True),
            )
            letters = [c for c, m in zip(template.sequence, template.masked, strict=True) if m]
            pairs = zip(logs, letters, strict=True)
            true = [row[AMINO_ACIDS.index(letter)] for row, letter in pairs if letter in AMINO_ACIDS]
            assert found[i, j] == pytest.approx(np.mean(true), abs=1e-5)
    assert np.abs(found[1] - found[0]).min() > 1e-4


def test_limit_on_mutations_holds_and_the_surest_ones_stay(model):
    whole = Decoder(model, HOOK_POINT, DecodingConfig(rounds=1)).decode(templates())
    limited = Decoder(model, HOOK_POINT, DecodingConfig(rounds=1, max_mutations=4)).decode(templates())
    for template, free, design in zip(templates(), whole, limited, strict=True):
        changed = [
            i for i, (a, b) in enumerate(zip(template.sequence, design.sequence, strict=True)) if a != b
        ]
        assert len(changed) == 4
        assert all(design.sequence[i] == free.sequence[i] for i in changed)


def test_samples_depend_on_seed_protein_and_number_alone(model):
    config = DecodingConfig(temperature=1.0, n_samples=3, seed=5)
    found = Decoder(model, HOOK_POINT, config).decode(templates())
    assert len({design.sequence for design in found}) == 12
    small = config.model_copy(update={"tokens_per_batch": 60, "n_samples": 2})
    again = Decoder(model, HOOK_POINT, small).decode(templates()[::-1])
    by_key = {(design.protein_id, design.sample): design.sequence for design in found}
    assert all(by_key[design.protein_id, design.sample] == design.sequence for design in again)
    other = Decoder(model, HOOK_POINT, config.model_copy(update={"seed": 6})).decode(templates())
    assert [d.sequence for d in other] != [d.sequence for d in found]


def test_temperature_draws_by_probability(model):
    mask = np.zeros(30, bool)
    mask[4] = True
    decoder = Decoder(model, HOOK_POINT, DecodingConfig(rounds=1, temperature=1.0, n_samples=2000))
    designs = decoder.decode([Template("P0", TEXTS[0], mask)])
    share = np.bincount([AMINO_ACIDS.index(d.sequence[4]) for d in designs], minlength=20) / 2000
    expected = np.exp(hooked_log_probabilities(TEXTS[0], mask, lambda x: x))[0]
    assert np.abs(share - expected).max() < 4 * 0.5 / np.sqrt(2000)


def test_pseudo_perplexity_equals_one_residue_at_a_time(model):
    texts = [text.translate(str.maketrans("XBUZO", "AAAAA")) for text in TEXTS[:2]]
    found = pseudo_perplexity(Decoder(model, HOOK_POINT, DecodingConfig()), texts, n_passes=30)
    for text, value in zip(texts, found, strict=True):
        logs = []
        for i in range(len(text)):
            mask = np.zeros(len(text), bool)
            mask[i] = True
            logs.append(hooked_log_probabilities(text, mask, lambda x: x)[0, AMINO_ACIDS.index(text[i])])
        assert value == pytest.approx(np.exp(-np.mean(logs)), rel=1e-5)


def test_pseudo_perplexity_leaves_out_letters_that_are_no_amino_acid(model):
    decoder = Decoder(model, HOOK_POINT, DecodingConfig())
    assert np.isnan(pseudo_perplexity(decoder, ["XXX"])).all()


def test_bad_templates_and_latents_are_refused(sae):
    with pytest.raises(InputError, match="'P' has 3 residues, its mask"):
        Template("P", "ACD", np.ones(4, bool))
    with pytest.raises(InputError, match="'P': no residue is masked"):
        Template("P", "ACD", np.zeros(3, bool))
    with pytest.raises(InputError, match="latent 32 does not exist"):
        LatentEdit(sae, {32: 1.0})
    with pytest.raises(InputError, match="latent 3 is both"):
        LatentEdit(sae, {3: 1.0}, [3])
    with pytest.raises(ValueError, match="gives one design 2 times"):
        DecodingConfig(n_samples=2)
