"""A Ray cluster (extra `ray`) for the length of a block."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from protsae.core.errors import InputError


@contextmanager
def ray_cluster(address: str | None, n_cpus: int) -> Iterator[Any]:
    """Give the module `ray`, connected: to the cluster that this process is in already, else to another one.

    Args:
        address: of a running cluster, such as `auto` or `ray://head:10001`; None: a cluster of this machine,
            which ends with the block.
        n_cpus: cores of a cluster of this machine.

    Raises:
        InputError: Ray is not installed, or the cluster does not answer.
    """
    try:
        import ray
        import ray.exceptions
    except ModuleNotFoundError:
        raise InputError(
            "Ray is not installed: install the extra `ray`, or take `ray` out of the settings in the catalog"
        ) from None
    if ray.is_initialized():
        yield ray
        return
    try:
        ray.init(
            address=address,
            num_cpus=None if address else n_cpus,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
        )
    except (ConnectionError, RuntimeError) as error:
        raise InputError(
            f"the Ray cluster {address or 'of this machine'} does not answer ({error}): start it, or take "
            "`ray` out of the settings in the catalog"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()
