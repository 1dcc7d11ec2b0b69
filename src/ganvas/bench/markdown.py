"""The tables of a bench as Markdown."""

from collections.abc import Iterator, Mapping, Sequence

from ganvas.bench.plan import HELD_BY_PEOPLE, Plan
from ganvas.bench.results import UNKNOWN, Found, Scores
from ganvas.runs.evaluations import with_error

ARROWS = {"lower": " ↓", "higher": " ↑", "": ""}


def markdown(scores: Scores, found: Sequence[Found], failed: Mapping[str, str]) -> str:
    """The whole: what was trained, every table, what failed."""
    return "\n".join(lines(scores, found, failed)).rstrip() + "\n"


def lines(scores: Scores, found: Sequence[Found], failed: Mapping[str, str]) -> Iterator[str]:
    plan = scores.plan
    yield f"# {plan.title}"
    yield ""
    yield about(scores)
    for each in found:
        yield ""
        yield f"## {heading(plan, each)}"
        yield ""
        if each.empty:
            yield nothing(each)
            continue
        yield from table_lines(each)
        for note in notes(each):
            yield ""
            yield note
    if failed:
        yield ""
        yield "## Failed"
        yield ""
        yield from (f"- {name}: {why}" for name, why in failed.items())


def about(scores: Scores) -> str:
    plan = scores.plan
    lengths = {str(job.given.get("duration", "")) for job in scores.jobs}
    seeds = ", ".join(map(str, plan.seeds))
    many = len(plan.seeds) > 1
    spread = "; after ± stands the standard deviation over seeds" if many else ""
    length = f"{lengths.pop()} a training; " if len(lengths) == 1 and "" not in lengths else ""
    what = f"On {', '.join(plan.data)}; {length}seed{'s' * many} {seeds}{spread}"
    return f"{what}. ↑ higher is better, ↓ lower."


def heading(plan: Plan, found: Found) -> str:
    where = f" on {found.data}" if len(plan.data) > 1 else ""
    return found.table.title + where


def nothing(found: Found) -> str:
    if found.direction == UNKNOWN:
        return (
            "Which domain the label maps are was not found, as no classes could be scored: say "
            "`--labels A` or `--labels B`, and the same `ganvas bench` again fills this table."
        )
    if set(found.table.metrics) <= HELD_BY_PEOPLE:
        return (
            "No study was held yet: `ganvas study RUN` asks people; then the same `ganvas bench` "
            "again fills this table."
        )
    return "Nothing of this was measured here; what was left out, and why, is in logs/."


def table_lines(found: Found) -> Iterator[str]:
    published = found.table.published
    heads = [name + ARROWS[better] for name, better in zip(found.names, found.better, strict=True)]
    if published:
        heads += [f"{metric}, published" for metric in found.table.metrics]
    yield line_of(["", *heads])
    yield f"|{' --- |' * (len(heads) + 1)}"
    for row, cells in found.cells.items():
        texts = [cell.shown() for cell in cells]
        if published:
            mark = " †" if row in published.unconfirmed else ""
            texts += [text + mark for text in published.values.get(row, ["–"] * len(cells))]
        yield line_of([row, *texts])
    for title, values in found.bounds.items():
        texts = [bound_shown(value) for value in values]
        texts += [""] * len(found.table.metrics) if published else []
        yield line_of([f"*{title}*", *texts])


def line_of(cells: Sequence[str]) -> str:
    """A line of a table; what would end a cell or the line does not."""
    texts = [" ".join(cell.split()).replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(texts)} |"


def bound_shown(value: float | None) -> str:
    return "–" if value is None else with_error(value, None)


def notes(found: Found) -> Iterator[str]:
    """Sentences below a table."""
    published = found.table.published
    if published:
        yield (
            f"Published: {published.of}. Another set and another judge: compare orders with ours, "
            "never values."
        )
        if published.unconfirmed & found.cells.keys():
            yield "† Figures that were not checked against the paper itself."
    yield from found.notes
    yield from (f"Order by {sentence}." for sentence in found.agreement)
