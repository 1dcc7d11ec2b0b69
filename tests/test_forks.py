"""A process forked from one that counted, compiled or exported can train: each in a new Python,
whose first backward pass comes after that."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
import torch
sys.path.insert(0, {tests!r})

def backward():
    torch.ones((), requires_grad=True).neg().backward()

{work}
backward()
if not os.fork():
    backward()
    os._exit(0)
_, status = os.wait()
sys.exit(os.waitstatus_to_exitcode(status))
"""
COUNTED = """
from test_memory import needed
assert needed() > 0
"""
COMPILED = """
from unittest.mock import patch
from ganvas.engine import Engine
compile = torch.compile
layer = torch.nn.Linear(2, 2)
# Only traced: a compiler may be missing here.
with patch.object(Engine, "refuse_no_compiler"), \\
        patch.object(torch, "compile", lambda call: compile(call, backend="aot_eager")):
    Engine.start("cpu").compile([layer])
    layer(torch.ones(1, 2)).sum().backward()
"""
EXPORTED = """
import ganvas
ganvas.export({run!r}, out={out!r}, format="torch", direction="AtoB")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.parametrize("work", [COUNTED, COMPILED, EXPORTED], ids=["count", "compile", "export"])
def test_a_process_forked_after_it_can_train(work, tiny_run, tmp_path):
    work = work.format(run=str(tiny_run), out=str(tmp_path / "G.pt2"))
    program = PROGRAM.format(tests=str(Path(__file__).parent), work=work)
    done = subprocess.run([sys.executable, "-c", program], timeout=120, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
