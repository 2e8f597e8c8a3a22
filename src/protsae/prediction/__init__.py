"""What is in a protein: concepts, latents and residues of any sequence, by a release alone."""
