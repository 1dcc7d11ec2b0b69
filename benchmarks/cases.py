"""All cases, by the name under which they are called. The first line of each one's docstring says
what it measures."""

from benchmarks import training, translation
from benchmarks.accuracy import accuracy
from benchmarks.convolutions import convolutions
from benchmarks.data import decoding, in_memory
from benchmarks.processes import scaling
from benchmarks.startup import start_up
from benchmarks.tables import Case

CASES: dict[str, Case] = {
    **training.CASES,
    **translation.CASES,
    "accuracy": accuracy,
    "convolutions": convolutions,
    "start-up": start_up,
    "processes": scaling,
    "data": in_memory,
    "data-decoding": decoding,
}
