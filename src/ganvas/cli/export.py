"""`ganvas export RUN --out FILE`."""

from pathlib import Path
from typing import Literal

from ganvas.cli.directions import Direction


def export(
    run: Path,
    /,
    *,
    out: Path,
    format: Literal["onnx", "torch", "safetensors"] = "onnx",
    direction: Direction = None,
) -> None:
    """Write a trained network for use without ganvas.

    Parameters
    ----------
    run
        A run directory, a snapshot in it, or a weights file.
    out
        The file to write, .onnx or .pt2; for safetensors the folder to make.
    format
        onnx, for any runtime; torch, a torch.export program; safetensors, plain weights with a
        model card.
    direction
        Of a translator. Left out: the one that was learnt; of two AtoB, or both as safetensors. Of
        many domains the one to translate into.
    """
    from ganvas.inference.export import export as write

    done = write(run, out, format, direction)
    sizes = [file.stat().st_size for file in (done.path, *done.path.glob("*")) if file.is_file()]
    way = f", {' and '.join(done.directions)}" if done.directions else ""
    print(f"{done.path}: {sum(sizes) / 1e6:.1f} MB{way}")
    if done.difference is not None:
        shapes = ", ".join("x".join(map(str, shape)) for shape in done.checked)
        print(
            f"checked against PyTorch with {shapes}: it differs by at most {done.difference:.1e}, "
            "where pictures are -1 to 1"
        )
