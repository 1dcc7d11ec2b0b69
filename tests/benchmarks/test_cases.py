"""What the cases compare, and how figures become tables."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from benchmarks import __main__ as program
from benchmarks.accuracy import RATE, errors, of_ganvas, of_yardstick
from benchmarks.matmul import best, peaks
from benchmarks.tables import Options, Table, with_spread
from benchmarks.training import flops, made, ours, row, theirs, weights_of
from benchmarks.turns import Measured, Turn

OPTIONS = Options()
TINY: dict[str, dict[str, Any]] = {
    "cyclegan": {"size": 32, "ngf": 4, "ndf": 4, "n_blocks": 1},
    "pix2pix": {"size": 64, "n_downs": 5, "ngf": 4, "ndf": 4, "dropout": False},
    "dcgan": {"size": 64, "ngf": 4, "ndf": 4, "nz": 5, "batch_size": 4},
    "stylegan": {
        "size": 16,
        "structure": "fixed",
        "batch_size": 4,
        "fmap_max": 8,
        "nz": 8,
        "nw": 8,
        "mapping_layers": 2,
    },
}


@pytest.fixture
def weights(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, Any], Path]:
    """A method, tiny settings, and a file of weights."""
    path = tmp_path / "weights.safetensors"
    save_file(weights_of(made(request.param, TINY[request.param])), path)
    return request.param, TINY[request.param], path


@pytest.mark.parametrize("weights", list(TINY), indirect=True)
def test_both_sides_take_the_same_step(weights: tuple[str, dict[str, Any], Path]):
    a, b = (losses_of(build(*weights, OPTIONS)) for build in (ours, theirs))
    tutorial = {"Loss_D": "D", "Loss_G": "G"}
    assert a == pytest.approx({tutorial.get(n, n): loss for n, loss in b.items()}, rel=1e-4)


def losses_of(turn: Turn) -> dict[str, float]:
    losses = turn()
    assert isinstance(losses, dict)
    return {name: float(loss) for name, loss in losses.items()}


@pytest.mark.parametrize("weights", ["cyclegan", "dcgan"], indirect=True)
def test_gradients_of_both_are_near_to_float64(weights: tuple[str, dict[str, Any], Path]):
    method, settings, path = weights
    weights = (method, {**settings, "lr": RATE}, path)
    exact = of_yardstick(*weights, OPTIONS, torch.float64)
    sides = {
        "ours": of_ganvas(*weights, OPTIONS),
        "theirs": of_yardstick(*weights, OPTIONS, torch.float32),
    }
    for side, found in sides.items():
        for network, wanted in exact.items():
            whole, _ = errors(found[network], wanted)
            assert whole < 1e-3, (side, network)


def test_errors_leave_out_parameters_without_a_gradient():
    wanted = {"weight": torch.tensor([3.0, 4.0]), "bias": torch.tensor([1e-12])}
    found = {"weight": torch.tensor([3.0, 4.5]), "bias": torch.tensor([1e-3])}
    whole, each = errors(found, wanted)
    assert whole == pytest.approx(0.1, rel=1e-3)
    assert each == pytest.approx([0.1])


@pytest.mark.parametrize("method", list(TINY))
def test_the_operations_of_a_step_are_counted(method: str):
    """Twice the batch, twice as many."""
    settings = {"batch_size": 4} | TINY[method]
    small = flops(method, settings)
    assert flops(method, settings | {"batch_size": 8}) == pytest.approx(2 * small, rel=0.05)


def test_the_operations_are_those_of_convolutions_forward_and_backward():
    """DCGAN's first layer, by hand: G runs forward once and backward once by its weights; what is
    drawn wants no gradient."""
    more = [flops("dcgan", TINY["dcgan"] | {"nz": nz}) for nz in (5, 6)]
    assert more[1] - more[0] == 2 * 2 * 4 * (1 * 8 * 4 * 4 * 4)


def test_the_share_of_the_peak_is_that_of_a_steps_operations():
    found = {
        "ganvas": Measured((2.0, 4.0), 2**30, (2.0, 2.0)),
        "yardstick": Measured((6.0, 6.0), 2**29, (5.0, 6.0)),
    }
    table = row("a step", 4, found, int(3e12), {"fp32": 2e12}, 2, OPTIONS)
    cells = dict(zip(table.head, table.rows[0], strict=True))
    assert cells["ganvas, s"] == "1.5 (1 to 2)"
    assert cells["times as fast"] == "2.25 (1.50 to 3.00)"
    assert cells["by processor time"] == "2.75 (2.50 to 3.00)"
    assert (cells["ganvas at"], cells["yardstick at"]) == ("100%", "50%")
    assert (cells["ganvas, GiB"], cells["yardstick, GiB"]) == ("1.00", "0.50")


def test_the_peak_is_the_best_of_the_products():
    (side,) = peaks(OPTIONS)
    assert best(Measured((2.0, 1.0), 0), side) == 2 * 4096**3
    assert [s.name for s in peaks(Options(precision="bf16"))] == ["fp32", "bf16"]


def test_a_spread_is_told_behind_the_median():
    assert with_spread([3.0, 1.0, 2.0]) == "2 (1 to 3)"


def test_tables_of_one_heading_are_shown_as_one_and_kept_in_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    def case(options: Options):
        yield Table("Speed", ("what", "rounds"), [("it", str(options.rounds))])

    out = tmp_path / "found.json"
    monkeypatch.setattr(program, "CASES", {"one": case, "two": case})
    monkeypatch.setattr(sys, "argv", ["benchmarks", "all", "--rounds", "7", "--out", str(out)])
    program.main()
    shown = capsys.readouterr().out
    assert shown.endswith("### Speed\n\n| what | rounds |\n| --- | --- |\n| it | 7 |\n| it | 7 |\n")
    told = json.loads(out.read_text())
    assert [table["rows"] for table in told["tables"]] == [[["it", "7"]]] * 2
    assert {"hardware", "versions", "command"} < told.keys()


def test_without_a_name_the_cases_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["benchmarks"])
    program.main()
    shown = capsys.readouterr().out
    assert "cyclegan-256" in shown
    assert all(len(line.split(maxsplit=1)) == 2 for line in shown.splitlines())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["cyclegam"], "cyclegam: there is no such case"),
        (["dcgan", "--device", "abacus"], "argument --device: invalid choice: 'abacus'"),
        (["dcgan", "--set", "dropout"], "wants NAME=VALUE"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    words: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(sys, "argv", ["benchmarks", *words])
    with pytest.raises(SystemExit, match="2"):
        program.main()
    assert told in capsys.readouterr().err
