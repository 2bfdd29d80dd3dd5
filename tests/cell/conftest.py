"""A small simulated screen, made once."""

import pytest
import torch

from wetware.cell import SyntheticScreen

SMALL = SyntheticScreen(genes=500, targets=60, cells=8, control_cells=120, depth=2000.0, edges=30, embedding=16)


@pytest.fixture(scope="session")
def small_config():
    return SMALL


@pytest.fixture(scope="session")
def small_screen():
    return SMALL.build()


@pytest.fixture(autouse=True)
def _still_one_thread():
    """scanpy sets the number of threads of the whole process, PyTorch's too; whoever comes after must not pay for it."""
    yield
    torch.set_num_threads(1)
