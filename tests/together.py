"""Several processes that train together, forked: as torchrun would start them, but far quicker."""

import os
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import SystemRandom
from typing import Any

from killing import in_a_process, wait_for


def free_port() -> int:
    """One that nobody is given who asks for any: it is bound some seconds later."""
    while True:
        with socket.socket() as probe, suppress(OSError):
            port = SystemRandom().randrange(10000, 30000)
            probe.bind(("127.0.0.1", port))
            return port


def start_together(count: int, work: Callable[..., Any], *arguments: Any, said: Path) -> list[int]:
    """Fork so many processes that do `work`; their ids. What they print is added to `said`."""
    port = free_port()
    return [
        in_a_process(placed, index, count, port, said, work, *arguments) for index in range(count)
    ]


def together(count: int, work: Callable[..., Any], *arguments: Any, said: Path) -> list[int]:
    """The same, to the end: their exit statuses."""
    return [wait_for(child) for child in start_together(count, work, *arguments, said=said)]


def placed(
    index: int, count: int, port: int, said: Path, work: Callable[..., Any], *arguments: Any
) -> int:
    numbers = {"RANK": index, "LOCAL_RANK": index, "WORLD_SIZE": count, "MASTER_PORT": port}
    os.environ |= {name: str(number) for name, number in numbers.items()}
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    with open(said, "a") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    try:
        return work(*arguments)
    except Exception:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
