"""`ganvas bench PLAN`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ganvas.cli.numbers import MaybeWhole, Whole

if TYPE_CHECKING:
    from ganvas.bench.plan import Plan


def bench(
    plan: str,
    /,
    *,
    data: list[str] | None = None,
    seeds: MaybeWhole = None,
    duration: str | None = None,
    size: str | None = None,
    set: list[str] | None = None,
    only: list[str] | None = None,
    labels: Literal["A", "B"] | None = None,
    out: Path | None = None,
    jobs: Whole = 1,
    device: str = "auto",
    threads: MaybeWhole = None,
    pictures: Whole = 6,
    dry_run: bool = False,
) -> None:
    """Train a table of methods, options, data and seeds, and lay the results side by side, as
    Markdown and as one page. The same command again goes on where it was stopped: what is finished
    is not repeated.

    Parameters
    ----------
    plan
        cyclegan-paper: the CycleGAN paper's Tables 1 to 5. Or a YAML file of your own
        (docs/bench.md).
    data
        What to compare on: a folder, a zip or sample:NAME; more than once, on each.
    seeds
        How many: 3 takes seeds 0, 1 and 2.
    duration
        Of each training: 200ep, 50000it, 90min ...
    size
        What all networks see: N or WxH.
    set
        A setting of all rows, as in --set ngf=32; more than once, several.
    only
        Train the row of that name alone; more than once, these. Tables show all that is there.
    labels
        A or B, where the label maps are, for tables in words of labels and photos. Left out: found
        where classes are scored.
    out
        The folder of the bench. Left out: bench/PLAN-DATA.
    jobs
        Trainings at a time, each in a process of its own; the processor's threads are shared out.
    device
        cpu, cuda, mps; auto takes the fastest that is there.
    threads
        Threads of the CPU that each training computes with. Left out: shared out among --jobs.
    pictures
        Inputs that go through every row, for the page; 0: none.
    dry_run
        Check everything and list the trainings; train nothing.
    """
    from ganvas.bench.bench import Machine
    from ganvas.bench.bench import bench as run_bench
    from ganvas.bench.jobs import check_sources, jobs_of
    from ganvas.bench.plan import slug
    from ganvas.bench.reading import read_plan
    from ganvas.bench.running import trainings
    from ganvas.errors import InputError

    said = settings_said(set or [], duration, size)
    wanted = changed(read_plan(plan), data, seeds, said, labels)
    rows = wanted.named(only or ())
    if jobs < 1:
        raise InputError(f"--jobs {jobs}: must be at least 1")
    if pictures < 0:
        raise InputError(f"--pictures {pictures}: must be at least 0")
    named = [Path(plan).stem, *(Path(source).name for source in wanted.data)]
    folder = (out or Path("bench") / slug(" ".join(named))).expanduser()
    machine = Machine(jobs, device, threads)
    if dry_run:
        listed = [j for j in jobs_of(wanted, machine.settings, print_note) if j.row in rows]
        check_sources(listed)
        for job in listed:
            print(f"{job.name}: {job.command(folder / 'runs' / job.name)}")
        return
    try:
        done = run_bench(wanted, folder, machine, say, pictures, only or ())
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"ganvas: stopped; trainings under way have written snapshots, and the same command "
            f"goes on in {folder}"
        ) from None
    print(f"\n{done.text}")
    print(f"tables: {folder / 'bench.md'}")
    print(f"page:   {folder / 'bench.html'}")
    if failed := done.outcome.failed:
        name, why = next(iter(failed.items()))
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise InputError(
            f"{len(failed)} of {trainings(done.outcome.count)} failed ({name}: {why}{more}); the "
            "same command tries them again"
        )


def say(text: str) -> None:
    print(text, flush=True)


def print_note(text: str) -> None:
    print(f"note: {text}")


def changed(
    plan: "Plan",
    data: list[str] | None,
    seeds: int | None,
    given: dict[str, Any],
    labels: str | None,
) -> "Plan":
    """The plan with what the command line says."""
    from dataclasses import replace

    from ganvas.errors import InputError

    if seeds is not None:
        if seeds < 1:
            raise InputError(f"--seeds {seeds}: must be at least 1")
        plan = replace(plan, seeds=tuple(range(seeds)))
    if labels is not None:
        plan = replace(plan, labels=labels)
    return replace(plan, data=tuple(dict.fromkeys(data or plan.data)), said=given)


def settings_said(texts: list[str], duration: str | None, size: str | None) -> dict[str, Any]:
    """What --set, --duration and --size set for all rows."""
    from yaml import YAMLError, safe_load

    from ganvas.bench.reading import settings_in
    from ganvas.errors import InputError

    own: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise InputError(f"--set {text}: wants NAME=VALUE, such as ngf=32")
        try:
            own[name.strip()] = safe_load(value)
        except (YAMLError, ValueError):
            raise InputError(f"--set {text}: {value} is no value that YAML has") from None
    own |= {k: v for k, v in (("duration", duration), ("size", size)) if v is not None}
    return settings_in(own, "--set", "")
