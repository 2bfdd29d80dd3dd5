"""Arrays that lie together in large pages."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

PAGE = 2 << 20  # of a large page where there are any, in bytes
LINE = 64


def together(*groups: Any) -> tuple[Any, ...]:
    """The NamedTuples ``groups`` with their arrays copied into one piece of memory, for which large pages are asked.

    Whoever jumps from row to row of some megabytes waits for the translation of addresses as much as for the rows: with large
    pages (measured, Linux) sums over spikes take a quarter less time in generation. Where there are none, nothing is lost.
    """
    arrays = [value for group in groups for value in group if isinstance(value, np.ndarray)]
    ends = np.cumsum([-(-array.nbytes // LINE) * LINE for array in arrays])
    memory = mmap.mmap(-1, int(ends[-1]) + 2 * PAGE)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # Linux only
        memory.madvise(mmap.MADV_HUGEPAGE)
    buffer = np.frombuffer(memory, np.uint8)
    start = -buffer.ctypes.data % PAGE

    def placed(value: Any) -> Any:
        nonlocal start
        if not isinstance(value, np.ndarray):
            return value
        copy = buffer[start : start + value.nbytes].view(value.dtype).reshape(value.shape)
        copy[...] = value
        start += -(-value.nbytes // LINE) * LINE
        return copy

    return tuple(type(group)(*map(placed, group)) for group in groups)
