"""`ganvas resume RUN`."""

from pathlib import Path

from ganvas.cli.numbers import MaybeNumber, MaybeWhole


def resume(
    run: Path,
    /,
    *,
    duration: str | None = None,
    data: str | None = None,
    device: str | None = None,
    workers: MaybeWhole = None,
    resume_kimg: MaybeNumber = None,
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
    resume_kimg
        Go on as if so many thousands of images had been shown, and with the schedule of there. Not
        needed: a run knows where it stands.
    """
    from ganvas.progress import Bar, stopped_well
    from ganvas.training import resume as go_on

    with Bar() as bar, stopped_well(bar):
        done = go_on(run, duration, data, device, workers, bar, resume_kimg)
        bar.say(f"report:    {done.path / 'report.html'}")
