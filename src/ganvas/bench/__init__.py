"""Comparisons: rows of methods, options, data and seeds, trained, judged and laid side by side."""
