"""Reporting: tables to figures to one self-contained page."""
