"""From a snapshot to pictures."""
