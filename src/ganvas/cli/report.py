"""`ganvas report RUN`."""

from pathlib import Path


def report(run: Path, /) -> None:
    """Write the run's report.html anew.

    Parameters
    ----------
    run
        The run directory.
    """
    from ganvas.runs.directory import Run
    from ganvas.runs.report import write_report

    print(write_report(Run.open(run).path))
