"""Spikes as lists of events, and the two products that cost only what fires."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from wetware.kernels.compiled import SWITCH, threads
from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.products import add_events

SPARE = 16
"""Ids beyond the end of a list that may be read (fetched ahead), and must therefore be there."""


@jit
def list_events(spikes, ids):
    """The places of ``spikes`` [N] that are not 0, in order, into ``ids`` [N + SPARE]; gives how many."""
    count = 0
    for n in range(spikes.shape[0]):
        ids[count] = n
        count += np.int64(spikes[n] != 0)
    return count


@jit
def _count(fired, counts):
    for row in range(fired.shape[0]):
        now = fired[row]
        for n in range(now.shape[0]):
            counts[n] += np.int32(now[n])


@jit
def _sum_by_source(fired, offsets, values, low, high, out):
    """Rows ``low`` to ``high`` of ``fired.T @ values``: the events are sorted by source (a counting sort; ``offsets`` are the
    sums of the counts), then each row of the result is one sum of rows of ``values``, written once."""
    ids = np.empty(offsets[high] - offsets[low] + SPARE, np.int32)
    ends = offsets[low:high] - offsets[low]
    for row in range(fired.shape[0]):
        now = fired[row, low:high]
        for n in range(now.shape[0]):
            if now[n]:
                ids[ends[n]] = row
                ends[n] += 1
    position = 0
    for n in range(high - low):
        add_events(ids, position, ends[n] - position, values, out[low + n])
        position = ends[n]


def outer(fired: np.ndarray, values: Tensor) -> Tensor:
    """``fired.T @ values``: fired [R, K] of 0 and 1 (uint8), values [R, N] float32 -> [K, N]. By events, or as one dense
    product above :data:`SWITCH`."""
    sources = fired.shape[1]
    counts = np.zeros(sources, np.int32)
    _count(fired, counts)
    offsets = np.concatenate([np.zeros(1, np.int64), counts.cumsum(dtype=np.int64)])
    if offsets[-1] > SWITCH * fired.size:
        return torch.from_numpy(fired).to(values.dtype).t() @ values
    made, array = values.new_empty(sources, values.shape[1]), values.contiguous().numpy()

    def work(low: int, high: int) -> None:
        _sum_by_source(fired, offsets, array, low, high, made.numpy())

    threads.run(work, threads.shares(sources, least=16))
    return made


@jit
def _sum_by_target(spikes, table, first, stop, fired, out):
    """Rows ``first`` to ``stop`` of ``spikes @ table``; writes the spikes into ``fired`` too. False: some are not 0 or 1."""
    ids = np.zeros(spikes.shape[1] + SPARE, np.int32)
    binary = True
    for row in range(first, stop):
        now, kept = spikes[row], fired[row]
        wrong = 0
        for n in range(now.shape[0]):
            kept[n] = np.uint8(now[n] != 0.0)
            wrong += np.int64(now[n] != np.float32(kept[n]))
        binary = binary and wrong == 0
        add_events(ids, 0, list_events(kept, ids), table, out[row])
    return binary


def inner(spikes: Tensor, table: Tensor) -> tuple[Tensor, np.ndarray]:
    """``spikes @ table`` by events: spikes [R, K] of 0 and 1, table [K, N]. Gives the spikes as uint8 too. Raises ValueError
    when they are not 0 or 1."""
    made, fired = spikes.new_empty(len(spikes), table.shape[1]), np.empty(spikes.shape, np.uint8)
    given, weights, binary = spikes.contiguous().numpy(), table.contiguous().numpy(), []

    def work(first: int, stop: int) -> None:
        binary.append(_sum_by_target(given, weights, first, stop, fired, made.numpy()))

    threads.run(work, threads.shares(len(spikes)))
    if not all(binary):
        raise ValueError("spikes must be 0 or 1")
    return made, fired
