"""The pipeline that trains on Parquet files of any origin."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
