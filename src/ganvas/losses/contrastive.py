"""Contrastive losses: which of many features belongs to this one."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ganvas.losses import full


def patch_nce(q: Tensor, k: Tensor, temperature: float = 0.07) -> Tensor:
    """-E[log(exp(q_s k_s / T) / sum over s' of exp(q_s k_s' / T))], a scalar: of features
    (N, S, C) of unit length, the one at place s of a picture shall be told from those at its
    S - 1 other places, the negatives  (Park et al. 2020, eq. 2, 3).

    CUT's code has the same with one more term, exp(-10 / T), which float32 does not see at its T.
    """
    with torch.autocast(q.device.type, enabled=False):
        logits = full(q) @ full(k).transpose(1, 2) / temperature
        own = torch.arange(q.shape[1], device=q.device).expand(logits.shape[:2])
        return F.cross_entropy(logits.flatten(0, 1), own.flatten())
