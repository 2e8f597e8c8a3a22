"""Protein sequences: FASTA, residue alphabet, homology search and splits."""
