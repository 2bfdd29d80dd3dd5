"""Imports go only downwards: the rooms stand in one order, and none knows those after it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import wetware

SOURCE = Path(wetware.__file__).parent
# Rooms on one line do not know each other, but for what is listed beside them.
FLOORS = [
    {"__init__"},
    {"arguments", "config", "derived", "hashing", "operations", "state"},
    {"parameters"},
    {"kernels"},
    {"neurons", "synapses", "plasticity", "modulation"},
    {"layers"},
    {"traits"},
    {"models"},
    {"data"},
    {"cell"},
    {"training"},
    {"evaluation", "tagging"},
    {"serving", "pictures"},
    {"recipes"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
FLOOR = {room: index for index, rooms in enumerate(FLOORS) for room in rooms}
KNOW_NO_MODELS = {"cell", "data"}
# The package's own __init__ is the door to all rooms: it imports them when a name is asked for, and nothing before.
FILES = sorted(set(SOURCE.rglob("*.py")) - {SOURCE / "__init__.py"})


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """The rooms that a file imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" if node.module == "wetware" else node.module for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "wetware" and len(parts) > 1:
                found.add(parts[1] if parts[1] in FLOOR else "__init__")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_down(path):
    room = room_of(path)
    assert room in FLOOR, f"{room} has no place in the order: add it to FLOORS"
    for other in imported_rooms(path) - {room}:
        assert FLOOR[other] < FLOOR[room], f"{room} imports {other}, which is not below it"
        assert not (room in KNOW_NO_MODELS and other == "models")


def test_imports_are_seen():
    """The walk above would notice: the training room does import models, data and config."""
    assert {"models", "data", "config"} <= set().union(*(imported_rooms(p) for p in FILES if room_of(p) == "training"))


def test_the_command_line_is_parsed_before_torch_is_imported():
    code = "import sys, wetware.cli; wetware.cli.parser(); print('torch' in sys.modules, 'numpy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "False"]


@pytest.mark.parametrize("name", [name for name in wetware.__all__ if name != "__version__"])
def test_every_public_name_is_there(name):
    assert getattr(wetware, name) is not None


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="nothing_like_this"):
        _ = wetware.nothing_like_this
