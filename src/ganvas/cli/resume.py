"""`ganvas resume RUN`."""

from pathlib import Path

from ganvas.cli.numbers import MaybeWhole


def resume(
    run: Path,
    /,
    *,
    duration: str | None = None,
    data: str | None = None,
    device: str | None = None,
    workers: MaybeWhole = None,
) -> None:
    """Go on exactly where a run stopped.

    Parameters
    ----------
    run
        The run directory.
    duration
        Train on to this length instead: 200ep, 50000it, 25000kimg, 90min, 2h.
    data
        Where the run's pictures are now, if they have moved.
    device
        Another device than the run began on.
    workers
        Another number of decoding processes.
    """
    from ganvas.progress import Bar, stopped_well
    from ganvas.training import resume as go_on

    with Bar() as bar, stopped_well(bar):
        done = go_on(run, duration, data, device, workers, bar)
        bar.say(f"report:    {done.path / 'report.html'}")
