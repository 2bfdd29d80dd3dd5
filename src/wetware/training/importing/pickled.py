"""A .pth file, read without running anything in it."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wetware.training.checkpoint import CheckpointError


def _numpy_kinds() -> list[Any]:
    """What a pickled array of numbers names, under the names of NumPy 1 and 2. What an array of objects holds is unpickled by
    the same rules."""
    from numpy._core import multiarray

    functions = {"_reconstruct": multiarray._reconstruct, "scalar": multiarray.scalar}
    homes = ("numpy.core.multiarray", "numpy._core.multiarray")
    named = [(function, f"{home}.{name}") for home in homes for name, function in functions.items()]
    types = [type(np.dtype(code)) for code in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")]
    return [*named, np.ndarray, np.dtype, *types]


def read_pickled(path: str | Path) -> Any:
    """The tensors, arrays and plain data in ``path``. Raises CheckpointError for a file that is missing, damaged, or holds
    anything that would have to be run to be read."""
    try:
        with torch.serialization.safe_globals(_numpy_kinds()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"no such file: {str(path)!r}") from None
    except IsADirectoryError:
        raise CheckpointError(f"{str(path)!r} is a folder; a .pth file was expected") from None
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{str(path)!r} is not loaded: {_reason(error)}") from None
    except Exception as error:  # rubbish can trip the reader anywhere
        words = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{str(path)!r} is damaged, or no file of PyTorch's: {words}") from None


def _reason(error: Exception) -> str:
    """PyTorch says how to switch its guard off; a user should hear what it guarded against."""
    words = " ".join(str(error).split())
    if found := re.search(r"GLOBAL (\S+)", words):
        return f"it names {found[1]}, which is code; only tensors and plain data are read"
    return f"it holds more than tensors and plain data ({words[:160]})"
