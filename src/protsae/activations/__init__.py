"""Activation shards: schema, writer, manifest, reader and residue sampler."""

from protsae.activations.reader import ActivationStatistics, ActivationStore
from protsae.activations.sampler import ResidueBatch, ResidueSampler
from protsae.activations.streaming import StreamingSampler, sampler_for

__all__ = [
    "ActivationStatistics",
    "ActivationStore",
    "ResidueBatch",
    "ResidueSampler",
    "StreamingSampler",
    "sampler_for",
]
