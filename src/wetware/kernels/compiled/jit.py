"""How everything here is compiled."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit


@functools.cache
def _stamp() -> str:
    """A digest of all sources that compiled code is made from."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[2].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def jit(function: Callable[..., Any]) -> Any:
    """``function`` compiled at its first call, and kept on disk for the next process.

    It releases the interpreter's lock; a division by zero gives infinity, as in numpy; a product and a sum may be rounded
    once instead of twice, and nothing else about floating point is loosened.
    """
    compiled: Any = njit(function, nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
    # numba takes what it kept for good as long as the function's own file is the same, and does not see that another file,
    # compiled into it, has changed. (Its private field: without it, the cache is as numba has it.)
    with contextlib.suppress(AttributeError):
        compiled._cache._cache_file._source_stamp = _stamp()
    return compiled
