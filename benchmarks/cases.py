"""All cases, by the name under which they are called. The first line of each one's docstring says
what it measures."""

from benchmarks.processes import scaling
from benchmarks.startup import start_up
from benchmarks.tables import Case

CASES: dict[str, Case] = {
    "start-up": start_up,
    "processes": scaling,
}
