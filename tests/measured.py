"""Rows of metrics.jsonl, as evaluations write them."""

import json
from pathlib import Path
from typing import Any

OWN = {"recipe": "own", "sha256": "1a2b3c4d" * 8, "features": 192}


def metric_row(value: float, images: int | None = 1000, **changes: Any) -> dict[str, Any]:
    """A Frechet distance; `changes` are of the row where it has that key, else of its origin."""
    row: dict[str, Any] = {
        "date": "2026-11-21T12:00:00+0000",
        "images": images,
        "key": "fd",
        "metric": "FD-own@1a2b3c4d",
        "value": value,
        "better": "lower",
        "error": None,
        "direction": None,
        "details": {},
        "notes": [],
    }
    origin = {
        "snapshot": "latest",
        "weights": "average",
        "split": "test",
        "real": 200,
        "fake": 200,
        "extractor": OWN,
        "preparation": "center_crop 32x32",
        "quantisation": "uint8",
        "truncation": 1.0,
        "seed": 0,
        "data": {"source": "digits", "fingerprint": "ab" * 32},
        "device": "cpu",
    }
    origin |= {key: value for key, value in changes.items() if key not in row}
    row |= {key: value for key, value in changes.items() if key in row}
    if images is None:
        del row["images"]
    return row | {"provenance": origin}


def write_metrics(run: Path, *rows: dict[str, Any]) -> None:
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
