"""The pipelines, one package each: nodes.py holds functions, pipeline.py declares the graph."""
