"""Encoding: all stored residues pass through a dictionary once; every measure reads what that leaves."""
