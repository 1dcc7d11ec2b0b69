"""Architectures used by two methods or more. They know no losses."""
