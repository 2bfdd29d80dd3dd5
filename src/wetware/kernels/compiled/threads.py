"""Compiled work on several threads: Python threads that call code which has released the interpreter's lock.

numba's own pool may not be entered from two threads at once, as a server would; this one may.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch


@functools.lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:
    """The helpers of this process; a forked child has none of its parent's."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="wetware")


def shares(count: int, least: int = 1) -> list[tuple[int, int]]:
    """``range(count)`` cut into as many (start, stop) as torch has threads, none smaller than ``least`` if that can be."""
    parts = max(1, min(torch.get_num_threads(), count // least))
    return [(count * part // parts, count * (part + 1) // parts) for part in range(parts)]


def run(work: Callable[[int, int], object], parts: list[tuple[int, int]]) -> None:
    """``work(start, stop)`` for every part at the same time; the first part by the caller. Errors are raised here."""
    pool = _pool(os.getpid()) if len(parts) > 1 else None
    others = [pool.submit(work, *part) for part in parts[1:]] if pool else []
    work(*parts[0])
    for other in others:
        other.result()
