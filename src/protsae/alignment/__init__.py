"""Which concepts do single latents stand for, beyond what the amino acids alone tell."""
