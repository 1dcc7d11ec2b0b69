"""All cases, by the name under which they are called. The first line of each one's docstring says
what it measures."""

from benchmarks.data import decoding, in_memory
from benchmarks.startup import start_up
from benchmarks.tables import Case

CASES: dict[str, Case] = {
    "start-up": start_up,
    "data": in_memory,
    "data-decoding": decoding,
}
