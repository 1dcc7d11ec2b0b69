"""One job in a process of its own: `python -m ganvas.bench.work BENCH NAME`."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ganvas.errors import DONE, INPUT_AT_FAULT, INTERRUPTED, InputError

POLL_SECONDS = 1.0


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


def stop_when_alone(bench: int) -> None:
    """End as Ctrl-C would where the bench that began this has gone, killed."""
    while os.getppid() == bench:
        time.sleep(POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGINT)


def main() -> int:
    # Also where the bench was begun deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=stop_when_alone, args=(os.getppid(),), daemon=True).start()
    try:
        work(Path(sys.argv[1]), sys.argv[2])
    except InputError as error:
        print(" ".join(str(error).split()), flush=True)
        return INPUT_AT_FAULT
    except KeyboardInterrupt:
        return INTERRUPTED
    return DONE


if __name__ == "__main__":
    sys.exit(main())
