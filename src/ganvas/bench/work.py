"""One job in a process of its own: `python -m ganvas.bench.work BENCH NAME`. It goes on for as long
as its input is open."""

import _thread
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from ganvas.errors import DONE, INPUT_AT_FAULT, INTERRUPTED, InputError


def work(bench: Path, name: str) -> None:
    """Train what BENCH/jobs/NAME.json says, or go on with it, judge it, and write down that it is
    done.

    Raises:
        InputError: it cannot be trained or judged.
    """
    from ganvas import api
    from ganvas.runs.directory import is_run
    from ganvas.runs.files import write_whole

    asked: dict[str, Any] = json.loads((bench / "jobs" / f"{name}.json").read_text("utf-8"))
    run, given = bench / "runs" / name, asked["given"]
    if is_run(run):
        machine = {k: given[k] for k in ("device", "workers") if given.get(k) is not None}
        api.resume(run, **machine)
    else:
        api.train(asked["method"], **given, out=run)
    judged = dict(asked["judged"])
    if judged["metrics"]:
        api.evaluate(
            run,
            device=given.get("device", "auto"),
            threads=given.get("threads"),
            skip_unfit=True,
            **judged,
        )
    write_whole(bench / "done" / f"{name}.json", json.dumps(asked, indent=1) + "\n")


def end_with_input() -> None:
    """Stop as by Ctrl-C when the bench closes our input, or is gone."""
    # Whoever began the bench in the background may have had Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def wait() -> None:
        while os.read(0, 1):
            pass
        _thread.interrupt_main()

    threading.Thread(target=wait, daemon=True).start()


def main() -> int:
    try:
        end_with_input()
        work(Path(sys.argv[1]), sys.argv[2])
    except InputError as error:
        print(" ".join(str(error).split()), flush=True)
        return INPUT_AT_FAULT
    except KeyboardInterrupt:
        return INTERRUPTED
    return DONE


if __name__ == "__main__":
    sys.exit(main())
