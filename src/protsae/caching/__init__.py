"""The cached runner: fingerprints, records and decisions."""
