"""The report of a run: one page that needs no network, no other file and no ganvas."""

import base64
import io
import json
import math
import re
import shlex
import statistics
from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import yaml
from PIL import Image

Row = dict[str, Any]
Rungs = Sequence[tuple[int, int]]
Pictures = Sequence[Path] | Sequence[Image.Image]

POINTS = 1500  # per curve; more than a screen is wide
FRAMES = 60
PREVIEW_ROWS = 8
# In bytes of the page, so that with the rest it stays below 15 MB; then the largest width and
# JPEG quality to try, in this order, until the pictures fit.
FILM = 9_500_000, ((1600, 88), (1280, 88), (960, 85), (640, 82), (320, 70))
CELLS = 3_500_000, ((512, 92), (384, 90), (256, 88), (128, 85))
LOSSLESS_BYTES = 64_000


def write_report(run: Path) -> Path:
    """Write `RUN/report.html` from whatever the run holds so far and return its path.

    What is missing or cut off (settings, log, previews, snapshots) is said on the page.
    Raises NotADirectoryError where `run` is no folder.
    """
    run = Path(run)
    if not run.is_dir():
        raise NotADirectoryError(f"{run} is no run directory")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    environment.filters |= {"plain": _plain, "shell": lambda value: shlex.quote(str(value))}
    source = resources.files("ganvas.runs").joinpath("report.html.jinja").read_text("utf-8")
    page = environment.from_string(source).render(_contents(run))
    beside = run / "report.html.tmp"
    beside.write_text(page, encoding="utf-8", errors="replace")
    return beside.replace(run / "report.html")


def _contents(run: Path) -> Row:
    missing: list[str] = []
    log = _read_log(run / "log.jsonl", missing)
    newest, film = _pictures(sorted((run / "samples").glob("*.png")), missing)
    snapshots = sorted(path.name for path in (run / "snapshots").glob("[!.]*/"))
    if not snapshots:
        missing.append("No snapshot yet, so there is nothing to resume or to use.")
    last = log[-1] if log else None
    return {
        "run_name": run.resolve().name,
        "config": _read_config(run / "config.yaml", missing),
        "missing": missing,
        "log_lines": len(log),
        "now": {key: _number(last, key) for key in ("images", "iterations", "epoch")},
        "seconds": _number(last, "time", "seconds"),
        "speed": _speed(log),
        "skipped": _skipped(log),
        "not_finite": _not_finite(log),
        "diagnosis": _diagnosis(log),
        "curves": _curves(log),
        "newest": newest,
        "directions": _directions(newest) if newest and newest.columns else [],
        "film": film,
        "metrics": _read_lines(run / "metrics.jsonl"),
        "snapshots": snapshots,
        "written": datetime.now().astimezone().isoformat(" ", "seconds"),
    }


def _plain(value: Any) -> str:
    """A setting or a figure as a person would write it."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _read_config(path: Path, missing: list[str]) -> Row:
    try:
        config = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        config = None
    if not isinstance(config, dict):
        missing.append("config.yaml is missing or cannot be read, so the settings are not known.")
        config = {}
    return config | {key: _mapping(config, key) for key in ("settings", "provenance", "networks")}


def _read_lines(path: Path) -> list[Any]:
    """What a JSON Lines file holds, line by line; None where a line cannot be read."""
    lines = path.read_text("utf-8", errors="replace").split("\n") if path.is_file() else []
    rows: list[Any] = []
    for line in filter(str.strip, lines):
        try:
            rows.append(json.loads(line))
        except (ValueError, RecursionError):
            rows.append(None)
    return rows


def _read_log(path: Path, missing: list[str]) -> list[Row]:
    rows = _read_lines(path)
    whole: list[Row] = [row for row in rows if _number(row, "images") is not None]
    log: list[Row] = []
    for row in whole:
        # A run that was killed and resumed logs the steps since its snapshot a second time.
        while log and log[-1]["images"] >= row["images"]:
            log.pop()
        log.append(row)
    if damaged := len(rows) - len(whole):
        missing.append(f"Cut off or damaged lines of log.jsonl, left out here: {damaged}.")
    if not log:
        missing.append("Nothing is logged yet, so there are no curves and no timings.")
    return log


def _mapping(parent: Row, key: str) -> Row:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _number(value: Any, *keys: str) -> float | None:
    """The number that is found under the keys; None where there is none or it is not finite."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and abs(value) < 1e300 else None


def _numbers(log: Sequence[Row], *keys: str) -> list[float]:
    return [value for row in log if (value := _number(row, *keys)) is not None]


# What the log says


def _speed(log: Sequence[Row]) -> Row:
    """Of each timing the median, the least, the greatest and the last value."""
    keys = ("pictures_per_second", "data_share", "step_seconds")
    values = {key: _numbers(log, "time", key) for key in keys}
    return {k: (statistics.median(v), min(v), max(v), v[-1]) for k, v in values.items() if v}


def _skipped(log: Sequence[Row]) -> float:
    """Steps skipped in all: the log counts them up, also over resumes."""
    return max([0, *_numbers(log, "skipped")])


def _not_finite(log: Sequence[Row]) -> dict[str, int]:
    """Per loss, in how many lines of the log it was not finite."""
    losses = [_mapping(row, "losses") for row in log]
    bad = [name for row in losses for name in row if _number(row, name) is None]
    return {name: bad.count(name) for name in sorted(set(bad))}


def _diagnosis(log: Sequence[Row]) -> list[Row]:
    """Every remark once, the latest first; `current` where the last line still has it."""
    remarks: dict[str, Row] = {}
    for row in log:
        sentences = row.get("diagnosis")
        for text in map(str, sentences if isinstance(sentences, list) else []):
            remark = remarks.setdefault(text, {"text": text, "first": row["images"]})
            remark |= {"last": row["images"], "current": row is log[-1]}
    return sorted(remarks.values(), key=lambda remark: -remark["last"])


def _curves(log: Sequence[Row]) -> Row:
    """The usable x axes and the panels; a point is the mean of as many lines as POINTS asks for."""
    step = math.ceil(len(log) / POINTS) or 1
    buckets = [log[i : i + step] for i in range(0, len(log), step)]
    ends = [bucket[-1] for bucket in buckets]
    axes = {"images": ["images"], "epochs": ["epoch"], "time": ["time", "seconds"]}
    axes = {axis: _numbers(ends, *keys) for axis, keys in axes.items()}

    def curve(name: str, *keys: str) -> Row:
        means = [statistics.fmean(v) if (v := _numbers(b, *keys)) else None for b in buckets]
        return {"name": name, "y": [None if m is None else float(f"{m:.5g}") for m in means]}

    names = sorted({name for row in log for name in _mapping(row, "losses")})
    adversarial = [name for name in names if re.fullmatch(r"[GD](_(?!L1|L2).*)?", name)]
    panels = {
        "Adversarial losses": [curve(name, "losses", name) for name in adversarial],
        "Other losses": [curve(n, "losses", n) for n in names if n not in adversarial],
        "Learning rate": [curve("learning rate", "lr")],
        "Pictures per second": [curve("pictures per second", "time", "pictures_per_second")],
    }
    return {
        "axes": {k: x for k, x in axes.items() if x and len(x) == len(ends) and x == sorted(x)},
        "panels": [{"title": title, "curves": curves} for title, curves in panels.items()],
        "lines_per_point": step,
    }


# What the previews show


class Preview(NamedTuple):
    """One preview grid; `columns` is empty where the file does not say what it shows."""

    image: Image.Image
    columns: list[str]
    rows: int


def _images_shown(path: Path) -> int | None:
    kimg = re.match(r"(\d+(?:\.\d+)?)kimg", path.name)
    return round(float(kimg[1]) * 1000) if kimg else None


def _open(path: Path) -> Preview | None:
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
            columns, said = str(file.info.get("columns", "")).split(), file.info.get("rows", "")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    rows = int(said) if str(said).isdecimal() else 0
    if not columns or not rows or image.width % len(columns) or image.height % rows:
        columns, rows = [], 1
    return Preview(image, columns, rows)


def _pictures(paths: list[Path], missing: list[str]) -> tuple[Preview | None, list[Row]]:
    """The newest preview, and the film: previews picked evenly, the first and last included."""
    if len(paths) > FRAMES:
        paths = [paths[round(i * (len(paths) - 1) / (FRAMES - 1))] for i in range(FRAMES)]
    sources = dict(zip(paths, _that_fit(*FILM, paths), strict=True))
    film = [{"images": _images_shown(path), "src": src} for path, src in sources.items() if src]
    if not film:
        missing.append("There are no previews yet, so there are no pictures and no film.")
    if bad := [path.name for path, src in sources.items() if not src]:
        missing.append(f"Previews that cannot be read, left out here: {', '.join(bad)}.")
    return next(filter(None, map(_open, reversed(paths))), None), film


def _directions(preview: Preview) -> list[Row]:
    """The cells of a preview by direction: real pictures and what was made from them."""
    image, columns, count = preview.image, preview.columns, len(preview.columns)
    made = [not name.startswith("real") for name in columns]
    starts = [0]
    for i in range(1, count):
        if not made[i] and any(made[starts[-1] : i]) and any(made[i:]):
            starts.append(i)
    width, height = image.width // count, image.height // preview.rows
    shown = min(preview.rows, PREVIEW_ROWS)
    corners = [(x * width, y * height) for y in range(shown) for x in range(count)]
    cells = [image.crop((x, y, x + width, y + height)) for x, y in corners]
    sources = _that_fit(*CELLS, cells)
    directions: list[Row] = []
    for start, end in zip(starts, [*starts[1:], count], strict=True):
        rows = [sources[y * count + start : y * count + end] for y in range(shown)]
        directions.append({"columns": columns[start:end], "start": start, "rows": rows})
    return directions


def _that_fit(budget: int, rungs: Rungs, pictures: Pictures) -> list[str]:
    """The pictures as data URIs, at the first rung at which a few of them promise to fit."""
    few = pictures[:: len(pictures) // 6 + 1]
    for width, quality in rungs:
        size = sum(len(_data_uri(picture, width, quality)) for picture in few)
        if size * len(pictures) <= budget * len(few):
            return [_data_uri(picture, width, quality) for picture in pictures]
    return [_data_uri(picture, *rungs[-1]) for picture in pictures]


def _data_uri(picture: Path | Image.Image, width: int, quality: int) -> str:
    """Empty where there is a file that cannot be read."""
    image = picture if isinstance(picture, Image.Image) else getattr(_open(picture), "image", None)
    if image is None:
        return ""
    if image.width > width or image.height > 2 * width:
        image = image.copy()
        image.thumbnail((width, 2 * width), Image.Resampling.LANCZOS, reducing_gap=2)
    file, kind = io.BytesIO(), "png"
    if image.width * image.height <= 512 * 512:
        image.save(file, "PNG")
    if not 0 < file.tell() <= LOSSLESS_BYTES:
        file, kind = io.BytesIO(), "jpeg"
        image.save(file, "JPEG", quality=quality, subsampling=0)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
