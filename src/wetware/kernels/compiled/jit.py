"""How everything here is compiled."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import event


@functools.cache
def _stamp() -> str:
    """A digest of all sources that compiled code is made from: this folder, every file that imports :func:`jit`, and those
    named ``compiled``, which may hold no more than its constants."""
    digest, here = hashlib.sha256(), Path(__file__).parent
    for path in sorted(here.parents[1].rglob("*.py")):
        source = path.read_bytes()
        if path.parent == here or path.name.startswith("compiled") or b"compiled.jit import" in source:
            digest.update(source)
    return digest.hexdigest()


def when_compiling(tell: Callable[[], None]) -> None:
    """Call ``tell`` once, when something is about to be compiled that was not kept from an earlier process."""

    class Once(event.Listener):
        def on_start(self, event: Any) -> None:
            nonlocal told
            if not told:
                told = True
                tell()

        def on_end(self, event: Any) -> None:
            pass

    told = False
    event.register("numba:compile", Once())


def jit(function: Callable[..., Any]) -> Any:
    """``function`` compiled at its first call, and kept on disk for the next process.

    It releases the interpreter's lock; a division by zero gives infinity, as in numpy; a product and a sum may be rounded
    once instead of twice, and nothing else about floating point is loosened.
    """
    return _compiled(function)


def summed(function: Callable[..., Any]) -> Any:
    """The same, with its sums taken in whatever order is fastest: otherwise a sum over an array is made number by number."""
    return _compiled(function, fastmath={"contract", "reassoc"})


def inlined(function: Callable[..., Any]) -> Any:
    """The same, and always made part of what calls it: LLVM leaves out of a loop what seems long to it, and a loop with a call
    in it stays one number at a time."""
    return _compiled(function, forceinline=True)


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    options = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": {"contract"}} | options
    compiled: Any = njit(function, **options)
    # numba takes what it kept for good as long as the function's own file is the same, and does not see that another file,
    # compiled into it, has changed. (Its private field: without it, the cache is as numba has it.)
    with contextlib.suppress(AttributeError):
        compiled._cache._cache_file._source_stamp = _stamp()
    return compiled
