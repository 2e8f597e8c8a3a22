"""The embedded demo data: how it was cut from the full files, so that anyone can cut it again."""
