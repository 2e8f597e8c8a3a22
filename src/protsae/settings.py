"""Kedro settings of the project."""

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # Environments override single keys of a block, not whole blocks.
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
}
