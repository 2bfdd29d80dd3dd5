"""Whether threads should share one text."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator

import torch


class Pace:
    """Whether threads should share a sequence: as measured, for on a busy machine they wait for each other longer than they
    save. The result is the same to the last bit either way, so it may change at any time.

    Both ways are tried twice, then the faster one runs, and after every :data:`AGAIN` tokens the other is tried again.
    """

    AGAIN = 512

    def __init__(self, most: int) -> None:
        self.most = most
        self.seconds: dict[int, list[float]] = {1: [], most: []}
        self.since = 0

    def parts(self) -> int:
        """How many threads should share the next piece of work."""
        if self.most == 1 or torch.get_num_threads() < self.most:
            return 1
        tried = min(self.seconds, key=lambda parts: len(self.seconds[parts]))
        if len(self.seconds[tried]) < 2:
            return tried
        best = min(self.seconds, key=lambda parts: min(self.seconds[parts]))
        if self.since > self.AGAIN:
            self.since = 0
            return 1 if best == self.most else self.most
        return best

    @contextlib.contextmanager
    def timed(self, parts: int, count: int) -> Generator[None]:
        """Remember how long ``count`` tokens took that way: the last two times count."""
        start = time.perf_counter()
        yield
        self.since += count
        if count and parts in self.seconds:
            self.seconds[parts] = [*self.seconds[parts][-1:], (time.perf_counter() - start) / count]
