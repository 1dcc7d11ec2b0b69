"""The formats that pictures are written in, as options name them."""

from typing import Literal

PictureFormat = Literal["png", "tif", "npy", "npz", "jpg", "webp", "bmp", "ppm"]
