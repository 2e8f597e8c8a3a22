"""Activation shards: schema, writer, manifest, reader and residue sampler."""
