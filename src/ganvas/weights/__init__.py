"""Weights from outside of a run: files of other projects, read and recognised."""
