"""Encoding: all stored residues pass through a dictionary once; every measure reads the results."""
