"""A history of generated pictures for discriminators."""

import torch
from torch import Tensor, nn

from ganvas import chance


class ImagePool(nn.Module):
    """Returns generated pictures of earlier steps in place of half of the new ones.

    Shrivastava et al. 2017, section 2.3, in CycleGAN's form: until `size` pictures are held, each
    new one is kept and returned; then with probability 1/2 a stored one, drawn at random, is
    returned and the new one takes its place. What is held is a buffer, but no weight: it is saved
    with the training's state.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.images: Tensor
        self.register_buffer("images", torch.empty(0), persistent=False)

    @property
    def held(self) -> int:
        """How many are held here, where each part of a batch has a pool of its own."""
        return -(-self.size // chance.parts())

    @torch.no_grad()
    def forward(self, new: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        if self.size == 0:
            return new
        returned, size, own = [], self.held, chance.own()
        # What is not finite costs this step only, and is not handed out again.
        for image, clean in zip(new, new.nan_to_num(), strict=True):
            if len(self.images) < size:
                held = self.images if len(self.images) else image.new_empty(0, *image.shape)
                self.images = torch.cat([held, clean[None]])
            elif torch.rand((), generator=own) > 0.5:
                place = int(torch.randint(size, (), generator=own))
                old = self.images[place].clone()
                self.images[place] = clean
                image = old
            returned.append(image)
        return torch.stack(returned)
