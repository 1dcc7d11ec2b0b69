"""The run directory: everything about a run in one folder that is read without ganvas."""
