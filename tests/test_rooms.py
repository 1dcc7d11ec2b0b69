"""The rooms of the house, and which of them may look into which (DESIGN, section 4)."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "ganvas"
HELPERS = {"errors", "chance", "clock", "colour", "config", "schedules", "pictures", "scales"}
MAY_IMPORT = {
    "errors": set(),
    "allocator": set(),
    "chance": set(),
    "clock": {"errors"},
    "schedules": {"clock"},
    "config": {"errors", "clock", "schedules"},
    "pictures": {"errors"},
    "colour": set(),
    "scales": {"errors", "pictures"},
    "networks": HELPERS,
    "losses": HELPERS,
    "data": HELPERS,
    "runs": HELPERS,
    "engine": HELPERS | {"allocator"},
    "doctor": HELPERS,
    "evaluation": HELPERS | {"methods", "data", "runs", "engine", "networks", "losses"},
    "methods": HELPERS | {"networks", "losses"},
    "weights": HELPERS | {"methods", "runs", "networks"},
    "memory": HELPERS | {"methods", "data", "networks", "engine", "allocator"},
    "auto": HELPERS | {"methods", "data", "engine", "memory"},
    "rehearsal": HELPERS | {"methods", "data", "engine", "memory", "loop", "runs"},
    "judging": HELPERS | {"methods", "runs", "evaluation", "engine"},
    "loop": HELPERS | {"methods", "data", "runs", "engine", "doctor", "judging"},
    "training": HELPERS
    | {"methods", "data", "runs", "engine", "loop", "weights", "auto", "rehearsal", "judging"},
    "inference": HELPERS | {"methods", "data", "runs", "engine", "networks", "losses"},
    "bars": set(),
    "progress": HELPERS | {"bars", "runs", "loop", "engine"},
    "bench": {"*"},
    "api": HELPERS
    | {"methods", "runs", "training", "inference", "progress", "weights", "evaluation", "engine"},
    "web": {"*"},
    "cli": {"*"},
    "__init__": {"api"},
    "__main__": {"cli"},
}
LONGEST = 600


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Rooms that a file imports from, wherever in it; its own left out."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = node.module == "ganvas"
            names = [f"ganvas.{a.name}" for a in node.names] if whole else [node.module]
        found |= {name.split(".")[1] for name in names if name.startswith("ganvas.")}
    return found - {room_of(path)}


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_looks_only_where_it_may(path: Path):
    allowed = MAY_IMPORT[room_of(path)]
    assert "*" in allowed or imports_of(path) <= allowed


def test_there_are_no_circles():
    arrows: dict[str, set[str]] = {}
    for path in FILES:
        arrows.setdefault(room_of(path), set()).update(imports_of(path))
    while leaves := {room for room, targets in arrows.items() if not targets & arrows.keys()}:
        for leaf in leaves:
            del arrows[leaf]
    assert not arrows


@pytest.mark.parametrize("room", ["methods", "networks", "losses"])
def test_methods_know_no_files_processes_or_loggers(room: str):
    forbidden = {"pathlib", "os", "io", "logging", "torch.distributed", "rich", "safetensors"}
    for path in (PACKAGE / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not {alias.name for alias in node.names} & forbidden, path
            if isinstance(node, ast.ImportFrom):
                assert node.module not in forbidden, path


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_are_small_enough_to_hold_in_the_head(path: Path):
    assert len(path.read_text().splitlines()) <= LONGEST
