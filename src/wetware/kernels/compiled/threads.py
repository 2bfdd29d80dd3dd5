"""Compiled work on several threads.

The threads are those of PyTorch's own OpenMP, where it can be reached: after a matrix product they spin for a while, waiting
for the next, and any other thread would have to share a core with them (measured: reverse walks of a 6-layer model took twice
as long). Elsewhere Python threads do the work. Either way the work is a Python function that soon calls code which has released
the interpreter's lock, and either way it may be entered by several threads of a server at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

Work = Callable[[int, int], object]
Parts = list[tuple[int, int]]


def shares(count: int, least: int = 1) -> Parts:
    """``range(count)`` cut into as many (start, stop) as torch has threads, none smaller than ``least`` if that can be."""
    parts = max(1, min(torch.get_num_threads(), count // least))
    return [(count * part // parts, count * (part + 1) // parts) for part in range(parts)]


def run(work: Work, parts: Parts) -> None:
    """``work(start, stop)`` for every part, at the same time. The first error is raised here, when all are done."""
    if len(parts) == 1:
        work(*parts[0])
        return
    errors: list[BaseException] = []

    def guarded(start: int, stop: int) -> None:
        try:
            work(start, stop)
        except BaseException as error:
            errors.append(error)

    team = _openmp()
    (_with_pool if team is None else functools.partial(_with_openmp, team))(guarded, parts)
    if errors:
        raise errors[0]


def together(work: Callable[[int], object], parts: int) -> bool:
    """``work(part)`` for every part, surely at the same time, so that they may wait for each other. False, and nothing done,
    where that cannot be had."""
    library = _openmp()
    if library is None or parts > torch.get_num_threads():
        return False
    errors: list[BaseException] = []
    complete: list[bool] = []

    def region(_: Any) -> None:
        try:
            if library.omp_get_num_threads() == parts:
                complete.append(True)
                work(library.omp_get_thread_num())
        except BaseException as error:
            errors.append(error)

    with _interrupts_later():
        library.GOMP_parallel(_Region(region), None, parts, 0)
    if errors:
        raise errors[0]
    return bool(complete)


@contextlib.contextmanager
def _interrupts_later() -> Generator[None]:
    """Hold Ctrl-C back until the end: raised in one thread before it begins, it would leave the others waiting for ever."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or handler is None:
        yield  # Python raises it in its main thread only
        return
    held: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if held:
        signal.raise_signal(signal.SIGINT)


@functools.cache
def _openmp() -> Any:
    """The OpenMP library that PyTorch brings and has loaded (GNU's), or None."""
    for path in sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*")):
        try:
            library = ctypes.CDLL(str(path))
            library.GOMP_parallel.argtypes = [_Region, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
            library.GOMP_parallel.restype = None
            assert library.omp_get_thread_num() == 0
        except (OSError, AttributeError):
            continue
        return library
    return None


_Region = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def _with_openmp(library: Any, work: Work, parts: Parts) -> None:
    def region(_: Any) -> None:
        # a team may be smaller than asked for: then each of its threads takes several parts
        for part in parts[library.omp_get_thread_num() :: library.omp_get_num_threads()]:
            work(*part)

    library.GOMP_parallel(_Region(region), None, len(parts), 0)


def _with_pool(work: Work, parts: Parts) -> None:
    others = [_pool(os.getpid()).submit(work, *part) for part in parts[1:]]
    work(*parts[0])
    for other in others:
        other.result()


@functools.lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:
    """The helpers of this process; a forked child has none of its parent's."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="wetware")
