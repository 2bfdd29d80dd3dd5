"""What tests of benchmarks share."""

import importlib
import sys
from pathlib import Path

import pytest

from wetware.training import memory

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def bench(monkeypatch):
    """Import a file of the folder as the script that runs there would. The C library of this process stays as it is."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(memory, "keep_buffers", lambda: False)
    yield importlib.import_module
    for name in [name for name, module in sys.modules.items() if Path(module_file(module)).parent == FOLDER]:
        del sys.modules[name]


def module_file(module):
    return getattr(module, "__file__", None) or "."
