"""A step does not fault in again, page by page, what the step before it had."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import torch
from ganvas.allocator import keep_freed

if sys.argv[1] == "kept":
    assert keep_freed()
# Aligned memory that was freed is found again once some of it lies side by side.
for i in range(40):
    if i == 24:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    x = torch.ones(2**24)  # 64 MiB
    del x
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


APART = """
import resource
import torch
from ganvas.engine import Engine

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        x = torch.ones(2**20)  # 4 MiB
        del x
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

engine = Engine.start("cpu")
with engine.first_step():
    apart = faults()
faults(), faults()
with engine.first_step(False):
    print(apart, faults())
"""
on_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="is asked of glibc only")


@on_glibc
def test_what_lasts_lies_by_itself_until_the_rest_is_kept():
    apart, kept = map(int, subprocess.check_output([sys.executable, "-c", APART]).split())
    assert apart > 4 * max(kept, 1)


SIDES = """
import resource
from concurrent.futures import ThreadPoolExecutor
import torch
from ganvas.allocator import keep_freed

def faults():
    torch.set_num_threads(1)
    for i in range(40):
        if i == 24:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        x = torch.ones(2**24)  # 64 MiB
        del x
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

assert keep_freed()
with ThreadPoolExecutor(1) as pool:
    print(pool.submit(faults).result())
"""


@on_glibc
def test_what_another_thread_freed_is_used_again():
    """By itself glibc keeps pieces of less than 64 MiB for a thread."""
    assert int(subprocess.check_output([sys.executable, "-c", SIDES])) < 2**15


@on_glibc
def test_what_was_freed_is_used_again():
    faults = {
        how: int(subprocess.check_output([sys.executable, "-c", FAULTS, how]))
        for how in ("kept", "handed back")
    }
    assert faults["handed back"] > 4 * max(faults["kept"], 1)


def test_elsewhere_nothing_is_asked(monkeypatch):
    from ganvas import allocator

    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not allocator.keep_freed()
    assert not allocator.set_apart()
