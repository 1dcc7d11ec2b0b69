"""Metrics: numbers that can be traced."""
