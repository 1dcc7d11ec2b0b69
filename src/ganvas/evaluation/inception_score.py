"""The Inception score (Salimans et al. 2016, section 4): sure of each picture's class, and of many
classes in all."""

import numpy as np
import torch
from torch import Tensor


def inception_score(logits: Tensor, splits: int = 10, seed: int = 2020) -> tuple[float, float]:
    """exp(E KL(p(c|x) || p(c))) of a classifier's logits (N, classes): the mean over parts of the
    pictures in random order, and its standard error."""
    splits = min(splits, len(logits))
    order = np.random.RandomState(seed).permutation(len(logits))
    logs = logits[torch.from_numpy(order).to(logits.device)].double().log_softmax(1)
    scores = []
    for i in range(splits):
        part = logs[i * len(logs) // splits : (i + 1) * len(logs) // splits]
        p = part.exp()
        # 0 log 0 = 0: a class that no picture of the part may show.
        marginal = p.mean(0, keepdim=True).clamp(min=torch.finfo(p.dtype).tiny).log()
        scores.append((p * (part - marginal)).sum(1).mean().exp())
    found = torch.stack(scores)
    error = found.std() / splits**0.5 if splits > 1 else torch.tensor(torch.nan)
    return float(found.mean()), float(error)
