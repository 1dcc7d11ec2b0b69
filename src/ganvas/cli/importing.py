"""`ganvas import FILE... --out RUN`."""

from pathlib import Path
from typing import Literal


def importing(
    *files: Path,
    out: Path,
    method: str | None = None,
    direction: Literal["AtoB", "BtoA"] | None = None,
    size: str | None = None,
) -> None:
    """Take in weights of other projects: a run to use, and to train from.

    Parameters
    ----------
    files
        .pth or .safetensors files of one training, in any order: generators and discriminators of
        pytorch-CycleGAN-and-pix2pix and of PyTorch's DCGAN tutorial, and CUT's.
    out
        The run directory to make.
    method
        cyclegan, pix2pix, cut, fastcut or dcgan, where neither names nor tensors tell.
    direction
        Which way G_A, or G of pix2pix and CUT, translates. Left out: AtoB.
    size
        What it was trained at, N or WxH, which tensors do not tell. Left out: 256; for dcgan what
        they show.
    """
    from ganvas.weights.importing import import_weights

    done = import_weights(files, out, method, direction, size)
    print("\n".join(done.lines()))
    record = done.run.record
    use = "generate" if record["method"] == "dcgan" else "translate"
    way = " --direction BtoA" if record["settings"].get("direction") == "BtoA" else ""
    use = f"`ganvas {use} {done.run.path} ...{way}`"
    print(f"run:  {done.run.path}, a {record['method']}; {use} uses it")
