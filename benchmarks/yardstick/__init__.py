"""Yardsticks: each method's published step as it is usually written, of PyTorch's plain layers.

Eager, contiguous, one call of a network for each of its inputs, biases in front of norms where the
published networks have them, Adam as it comes. Nothing here is of ganvas. Networks have the keys of
its state dicts, so that both can begin with the same weights.
"""
