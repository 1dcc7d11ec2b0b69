"""Films, encoded frame by frame: MP4 by PyAV (extra `video`), GIF by Pillow."""

import importlib
import io
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from PIL import Image

from ganvas.errors import InputError

Format = Literal["gif", "mp4"]
FPS = 30
FASTEST = {"gif": 50, "mp4": 240}
LARGE_ENOUGH = 256
INSTALL = 'pip install "ganvas[video]"'
BT709, LIMITED = 1, 1  # as numbers in the file; PyAV 14 converts by name only


def film_format(wanted: Format | None, fps: int) -> Format:
    """The format to write: left open, MP4 where it can be made, else GIF.

    Raises:
        InputError: that format cannot be made here, or not at so many frames a second.
    """
    lack = what_mp4_lacks()
    if wanted == "mp4" and lack:
        raise InputError(f"--format mp4: {lack}; {INSTALL}, or take --format gif")
    chosen = wanted or ("gif" if lack else "mp4")
    if not 1 <= fps <= FASTEST[chosen]:
        other = ", or take --format mp4" if chosen == "gif" and fps > 0 else ""
        raise InputError(f"--fps {fps}: a {chosen} wants 1 to {FASTEST[chosen]}{other}")
    return chosen


def what_mp4_lacks() -> str:
    try:
        av = importlib.import_module("av")
    except ImportError:
        return "the package av is not there"
    return "" if "libx264" in av.codecs_available else "the package av was built without libx264"


def write_film(target: Path, frames: Iterable[Image.Image], fps: int) -> None:
    """Write frames of one size, mode L or RGB, as target's ending says: .mp4 or .gif.

    One frame at a time is held. The film gets its name when it is whole: a kill leaves none.
    """
    beside = target.with_name(f".{target.name}.writing")
    try:
        (write_gif if target.suffix == ".gif" else write_mp4)(beside, frames, fps)
        with open(beside, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, target)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror})") from None
    finally:
        beside.unlink(missing_ok=True)


def write_mp4(place: Path, frames: Iterable[Image.Image], fps: int) -> None:
    """H.264 in yuv420p, the one that every browser plays, with its index in front."""
    import av

    # An absolute path, in which FFmpeg sees no protocol, such as in `a:b`.
    where, stream = str(place.resolve()), None
    with av.open(where, "w", format="mp4", options={"movflags": "+faststart"}) as file:
        for picture in frames:
            picture = enlarged(picture.convert("RGB"))
            if stream is None:
                stream = file.add_stream("libx264", rate=fps, options={"crf": "18"})
                stream.width, stream.height = picture.size
                stream.pix_fmt = "yuv420p"
                # Players guess by the size where the file does not say, and show other colours.
                said = stream.codec_context
                said.colorspace = said.color_primaries = said.color_trc = BT709
                said.color_range = LIMITED
            frame = av.VideoFrame.from_image(picture)
            frame = frame.reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            file.mux(stream.encode(frame))
        if stream is not None:
            file.mux(stream.encode())


def enlarged(picture: Image.Image) -> Image.Image:
    """Each pixel as a square of pixels, so that players do not blur what is small."""
    factor = factor_of(picture.size)
    return picture.resize(
        (picture.width * factor, picture.height * factor), Image.Resampling.NEAREST
    )


def factor_of(size: tuple[int, int]) -> int:
    """The least whole factor at which the longer side has 256 pixels and both sides are even, as
    yuv420p wants them."""
    factor = -(-LARGE_ENOUGH // max(size)) if max(size) < LARGE_ENOUGH else 1
    odd = size[0] % 2 or size[1] % 2
    return factor + 1 if odd and factor % 2 else factor


def write_gif(place: Path, frames: Iterable[Image.Image], fps: int) -> None:
    """A GIF that loops, each frame with the 256 colours that suit it best.

    Pillow's own `save_all` keeps all frames in memory and leaves out those that equal the one
    before, so it encodes single pictures here, and what they hold is strung together.
    """
    with open(place, "wb") as file:
        for n, picture in enumerate(frames):
            if n == 0:
                screen = struct.pack("<HHBBB", *picture.size, 0x70, 0, 0)
                file.write(b"GIF89a" + screen + b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0")
            # Delays are whole hundredths of a second: at 30 frames 3, 4, 3, 3, 4, 3 ...
            delay = round((n + 1) * 100 / fps) - round(n * 100 / fps)
            file.write(b"!\xf9\x04" + struct.pack("<BHBB", 0, delay, 0, 0) + gif_frame(picture))
        file.write(b";")


def gif_frame(picture: Image.Image) -> bytes:
    """A picture as a frame with its own colours, out of a GIF of it alone."""
    if picture.mode != "L":
        picture = picture.quantize(256)
    file = io.BytesIO()
    picture.save(file, "GIF")
    whole = file.getvalue()
    # 6 bytes of signature, 7 of screen, whose fifth tells the size of the colours after it.
    size = whole[10] & 7
    start = 13 + 3 * 2 ** (size + 1)
    colours, rest = whole[13:start], whole[start:-1]
    # A comma, 8 bytes of place, one of flags, among them 0x40 for interlacing, and the pixels.
    return rest[:9] + bytes([0x80 | rest[9] & 0x40 | size]) + colours + rest[10:]
