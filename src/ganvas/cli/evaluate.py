"""`ganvas evaluate RUN`."""

from pathlib import Path
from typing import Any, Literal

from ganvas.cli.directions import Direction
from ganvas.cli.numbers import MaybeNumber, MaybeWhole, Whole


def evaluate(
    run: Path,
    /,
    *,
    data: str | None = None,
    metrics: str | None = None,
    count: Whole = 1000,
    split: Literal["held-out", "test", "val", "train"] | None = None,
    extractor: str = "own",
    inception: Path | None = None,
    direction: Direction = None,
    paired: bool = False,
    palette: str | None = None,
    truncation: MaybeNumber = None,
    seed: Whole = 0,
    device: str = "auto",
    threads: MaybeWhole = None,
    json: Path | None = None,
) -> None:
    """Judge a trained run by real pictures: a table, and lines in its metrics.jsonl.

    Parameters
    ----------
    run
        A run directory, a snapshot in it, or a weights file.
    data
        Other pictures than those of the run: folder, zip or sample:NAME.
    metrics
        Names with commas between: fd,kd,precision,recall,density,coverage,swd,ms-ssim of pictures
        made from noise; fd,kd,swd,cycle,identity and, of pairs, l1,psnr,ssim,lpips of translations;
        fid,kid,is with Inception's weights; ppl-wend,pl-wend and the like. Left out: all that fit
        and need no download.
    count
        Pictures to generate, and the most of the real ones to look at.
    split
        Which real pictures. Left out: what --hold-out kept out of training, else test, val, train.
    extractor
        Whose features fd, kd and the like go by: own (trained on the data once, and kept), random,
        inception, or the file of an own one.
    inception
        The file of Inception's weights; adds fid and kid. Left out: looked for where other
        packages keep it, when fid, kid or is are asked for.
    direction
        Of a translator; of many domains the one to translate into. Left out: all that it has
        learnt.
    paired
        Equal names in A and B show the same thing, for a method that was trained without pairs.
    palette
        The colours of the classes in label maps: a file, a list, or streets, cmp-facades,
        cityscapes; adds pixel-accuracy, class-accuracy and class-iou. Left out: found in the label
        maps, when these are asked for.
    truncation
        StyleGAN: how far styles are from their mean, psi.
    seed
        Of the latents.
    device
        cpu, cuda, mps; auto takes the fastest that is there.
    threads
        Threads of the CPU to compute with.
    json
        Write the results into this file too, as a list.
    """
    from ganvas import api
    from ganvas.cli.tables import table_of
    from ganvas.engine import Processes
    from ganvas.errors import InputError

    options = {
        "metrics": None if metrics is None else metrics.split(","),
        "count": count,
        "split": split,
        "extractor": extractor,
        "inception": inception,
        "direction": direction,
        "paired": paired,
        "palette": palette,
        "truncation": truncation,
        "seed": seed,
    }
    if json is not None and json.is_dir():
        raise InputError(f"--json {json}: is a folder; name a file")
    places: dict[str, Any] = {"data": data, "device": device, "threads": threads}
    results = api.evaluate(run, **places, together=True, **options)
    if not Processes.join().first:
        return
    print(table_of(results))
    if json is not None:
        from json import dumps

        try:
            json.write_text(dumps([result.row() for result in results], indent=1) + "\n")
        except OSError as error:
            raise InputError(f"--json {json}: cannot be written ({error.strerror})") from None
