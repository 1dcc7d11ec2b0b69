"""What a run has written down, as far as it can be read: pages show a damaged run too."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

Row = dict[str, Any]


def read_config(path: Path, missing: list[str]) -> Row:
    try:
        config = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        config = None
    if not isinstance(config, dict):
        missing.append("config.yaml is missing or cannot be read, so the settings are not known.")
        config = {}
    return config | {key: mapping(config, key) for key in ("settings", "provenance", "networks")}


def read_lines(path: Path) -> list[Any]:
    """What a JSON Lines file holds, line by line; None where a line cannot be read."""
    lines = path.read_text("utf-8", errors="replace").split("\n") if path.is_file() else []
    rows: list[Any] = []
    for line in filter(str.strip, lines):
        try:
            rows.append(json.loads(line))
        except (ValueError, RecursionError):
            rows.append(None)
    return rows


def read_log(path: Path, missing: list[str]) -> list[Row]:
    rows = read_lines(path)
    whole: list[Row] = [row for row in rows if number(row, "images") is not None]
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


def mapping(parent: Row, key: str) -> Row:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def number(value: Any, *keys: str) -> float | None:
    """The number that is found under the keys; None where there is none or it is not finite."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    isnumber = isinstance(value, int | float) and not isinstance(value, bool)
    return value if isnumber and abs(value) < 1e300 else None


def numbers(log: Sequence[Row], *keys: str) -> list[float]:
    return [value for row in log if (value := number(row, *keys)) is not None]
