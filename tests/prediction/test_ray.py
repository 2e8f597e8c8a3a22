"""A prediction over Ray."""

import pytest
from tests.prediction.small import plan_of, small_release

from protsae.activations.executors import RayConfig, RayExecutor

pytest.importorskip("ray")


@pytest.mark.slow
def test_shards_made_over_ray_end_in_the_same_bytes(tmp_path):
    release = small_release(tmp_path)
    plan_of(release).run(tmp_path / "local")
    plan_of(release).run(tmp_path / "spread", RayExecutor(RayConfig(n_workers=2)))
    found, expected = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("spread", "local")
    )
    assert found == expected
