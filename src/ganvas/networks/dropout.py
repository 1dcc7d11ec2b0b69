"""Dropout that falls on a picture alike, whichever part of a batch it is in."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganvas import chance


class Dropout(nn.Dropout):
    """As torch's; a step that is given a part of a batch draws for the whole, and takes its own."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or chance.parts() == 1:
            return super().forward(input)
        # As empty_like would, in the input's memory format: in the order in which torch draws.
        whole = torch.cat([torch.ones_like(input)] * chance.parts())
        return input * chance.part_of(F.dropout(whole, self.p))
