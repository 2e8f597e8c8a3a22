import torch

from protsae.core.seeding import derive_seed, numpy_generator, torch_generator


def test_purposes_have_separate_streams_and_the_same_purpose_repeats():
    assert derive_seed(0, "a") != derive_seed(0, "b")
    assert derive_seed(0, "a", 1) != derive_seed(0, "a1")
    assert numpy_generator(3, "x").integers(1 << 40) == numpy_generator(3, "x").integers(1 << 40)
    assert torch.equal(
        torch.rand(3, generator=torch_generator(3, "x")), torch.rand(3, generator=torch_generator(3, "x"))
    )


def test_generators_leave_global_random_state_alone():
    before = torch.get_rng_state()
    torch_generator(1, "x")
    assert torch.equal(before, torch.get_rng_state())


def test_derived_seed_fits_every_generator():
    assert all(0 <= derive_seed(seed, "p") < 1 << 63 for seed in range(100))
