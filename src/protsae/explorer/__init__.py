"""The explorer: a folder of one page and its data files that opens from disk."""
