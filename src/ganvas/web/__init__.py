"""Pages on this machine."""
