"""How long the command line takes to answer, beside Python alone and Python with PyTorch."""

import subprocess
import sys
from collections.abc import Iterator, Sequence

from benchmarks.tables import Options, Table, with_spread
from benchmarks.turns import Side, Turn, alternate

ROUNDS = 10
COMMANDS = {
    "python -c pass": ("-c", "pass"),
    "python -c 'import torch'": ("-c", "import torch"),
    "ganvas --version": ("-m", "ganvas", "--version"),
    "ganvas --help": ("-m", "ganvas", "--help"),
    "ganvas train cyclegan --help": ("-m", "ganvas", "train", "cyclegan", "--help"),
}


def called(words: Sequence[str]) -> Turn:
    def turn() -> None:
        subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)

    return turn


def start_up(options: Options) -> Iterator[Table]:
    """Seconds until the command line has answered and gone."""
    sides = [Side(name, called, {"words": words}) for name, words in COMMANDS.items()]
    found = alternate(sides, options.rounds or ROUNDS, threads=options.threads)
    rows = [(f"`{name}`", with_spread(m.seconds, "{:.2f}")) for name, m in found.items()]
    figures = {name: m.seconds for name, m in found.items()}
    yield Table("Start-up", ("command", "seconds, median (least to most)"), rows, figures)
