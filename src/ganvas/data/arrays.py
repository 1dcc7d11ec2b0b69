"""Pictures in NumPy's own files: .npy, and .npz with one picture in it.

Three axes are (H, W, C) or (C, H, W): the channels are the shorter one of the first and the last,
of equal ones the last.
"""

import io
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from ganvas.data.bad import BadPicture, refuse_bomb
from ganvas.pictures import TYPES, Picture


def read_npy(content: bytes) -> Picture:
    try:
        return picture_of(np.load(io.BytesIO(content), allow_pickle=False))
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise BadPicture("holds Python objects; save an array of numbers") from None


def read_npz(content: bytes) -> Picture:
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            refuse_bomb(sum(member.file_size for member in archive.infolist()), 1, len(content))
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
            pictures = [key for key, array in arrays.items() if array.ndim in (2, 3)]
            if len(pictures) != 1:
                names = ", ".join(arrays) or "nothing"
                raise BadPicture(
                    f"holds {len(pictures)} arrays that could be pictures ({names}); one is wanted"
                )
            return picture_of(arrays[pictures[0]], pictures[0])
    except BadZipFile as error:
        raise BadPicture(f"is damaged or cut short ({error})") from None


def picture_of(array: np.ndarray, key: str = "") -> Picture:
    if array.dtype.name not in TYPES:
        raise BadPicture(f"is an array of {array.dtype}; pictures are of integers or floats")
    if array.ndim not in (2, 3) or not array.size:
        raise BadPicture(f"is an array {array.shape}; pictures are (H, W), (H, W, C) or (C, H, W)")
    values = array.astype(array.dtype.newbyteorder("="), copy=False)
    if values.ndim == 2:
        return Picture(values[:, :, None], key=key)
    planes = values.shape[0] < values.shape[2]
    return Picture(np.moveaxis(values, 0, 2) if planes else values, planes=planes, key=key)


def write_npy(picture: Picture) -> bytes:
    file = io.BytesIO()
    np.save(file, array_of(picture))
    return file.getvalue()


def write_npz(picture: Picture) -> bytes:
    file = io.BytesIO()
    arrays: dict[str, Any] = {picture.key or "picture": array_of(picture)}
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def array_of(picture: Picture) -> np.ndarray:
    values = picture.flat("channel")
    if values.shape[2] == 1:
        return values[:, :, 0]
    return np.ascontiguousarray(np.moveaxis(values, 2, 0) if picture.planes else values)
