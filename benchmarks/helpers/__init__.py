"""What several benchmarks share; nothing of the package needs it."""
