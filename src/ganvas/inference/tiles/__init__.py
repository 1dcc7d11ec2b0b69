"""Pictures larger than memory, window by window, as if they went whole."""
