"""Results of an evaluation as a table to read."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganvas.evaluation.results import Result

ARROWS = {"lower": "lower is better", "higher": "higher is better", "": "as of real ones"}


def table_of(results: "Sequence[Result]") -> str:
    """A line a result; then once what they have in common, and each note with those it is of."""
    rows = [
        (r.metric, r.direction or "", r.shown(), ARROWS[r.better], counts(r.provenance))
        for r in results
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines += [f"{r.metric}: {said}" for r in results if (said := beside(r))]
    lines += ["", *origins(results)]
    noted: dict[str, list[str]] = {}
    for result in results:
        for note in result.notes:
            names = noted.setdefault(note, [])
            names += [result.metric] if result.metric not in names else []
    every = len({result.metric for result in results})
    for note, names in noted.items():
        about = "" if len(names) == every else f"{', '.join(names)}: "
        lines.append(f"note: {about}{note}")
    return "\n".join(lines)


def beside(result: "Result") -> str:
    """What the score of true answers, and of answers to other inputs, is."""
    upper, chance = (result.details.get(name) for name in ("upper bound", "chance"))
    if upper is None:
        return ""
    way = f"{result.direction}, " if result.direction else ""
    return f"{way}upper bound {upper:.3f}" + ("" if chance is None else f", chance {chance:.3f}")


def counts(origin: dict[str, Any]) -> str:
    """`1000 of 1000 real`"""
    return f"{origin['fake']:,} generated" + (f", {origin['real']:,} real" * bool(origin["real"]))


def origins(results: "Sequence[Result]") -> list[str]:
    """Where the numbers come from, each thing once."""
    if not results:
        return []
    o = results[0].provenance
    prints = ", ".join(dict.fromkeys(r.provenance["data"]["fingerprint"][:8] for r in results))
    clock = f" at {o['images'] / 1000:g} kimg" if "images" in o else ""
    lines = [
        f"weights:    {o.get('snapshot', 'as given')}{clock}, {o['weights']}",
        f"pictures:   {o['data']['source']}, {all_of(results, 'split')}; {o['preparation']}, "
        f"{all_of(results, 'quantisation')}, not mirrored; SHA-256 {prints}",
    ]
    seen = []
    for result in results:
        extractor = result.provenance["extractor"]
        if extractor and (line := told(extractor)) not in seen:
            seen.append(line)
            lines.append(f"extractor:  {line}")
    psi = o["truncation"]
    how = f"seed {o['seed']}" + (f", truncation {psi:g}" if psi not in (None, 1.0) else "")
    lines.append(f"made with:  {how}, on {o['device']}, in {o.get('seconds', 0):.1f} s")
    return lines


def all_of(results: "Sequence[Result]", name: str) -> str:
    """What they say by that name, each thing once."""
    return " or ".join(dict.fromkeys(str(r.provenance[name]) for r in results))


def told(extractor: dict[str, Any]) -> str:
    parts = [extractor["recipe"]]
    parts += [f"{extractor['features']} features"] if "features" in extractor else []
    parts += [f"SHA-256 {extractor['sha256'][:8]}"] if "sha256" in extractor else []
    parts += [extractor["resize"]] if "resize" in extractor else []
    return ", ".join(parts)
