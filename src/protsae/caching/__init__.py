"""The cached runner: fingerprints, records and decisions."""

from protsae.caching.runner import CachingRunner

__all__ = ["CachingRunner"]
