"""Measurements: `python -m benchmarks` lists those that compare sides in turn."""
