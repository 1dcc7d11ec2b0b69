"""What can be answered without PyTorch does not wait for it."""

import subprocess
import sys

COMMANDS = """
--version
--help
train --help
data --help
data check --help
data download --list
data sample shapes {folder} --count 1 --size 16
methods
resume --help
translate --help
generate --help
evaluate --help
compare --help
bench --help
study --help
report --help
report {folder}
import --help
export --help
nonsense
train
"""
SCRIPT = """
import contextlib, io, sys
from ganvas.cli import main
for line in sys.argv[1].strip().splitlines():
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        main(line.split())
    found = sorted({"torch", "torchvision"} & sys.modules.keys())
    if found:
        print(line, "imports", *found)
        break
print("done")
"""


def test_help_lists_and_faults_come_without_torch(tmp_path):
    commands = COMMANDS.format(folder=tmp_path / "shapes")
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT, commands], capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines() == ["done"], told.stderr
