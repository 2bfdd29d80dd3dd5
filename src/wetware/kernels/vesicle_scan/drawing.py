"""What ``vesicle_scan`` knows of release that is drawn."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from torch import Tensor


class Way(IntEnum):
    """How a number of vesicles is drawn: as a normal number; one by one, with the mean's gradient; or with that of a relaxation
    of each choice. The formulas are those of the samplers of :mod:`wetware.synapses.sampling`. The numbers are compiled into
    the loops and never change."""

    NORMAL = 0
    STRAIGHT = 1
    GUMBEL = 2


class Drawing(NamedTuple):
    """Draws in numbers, so that a backend can make them itself: what a ``sample`` has as its attribute ``drawing``.

    rows: [B, H, Q], 32 random bits of each query. Those of (query, key) are ``mix32(row + (distance + 1) ODD)``, where distance
    is how far the key lies back, and its j-th number is ``(mix32(pair + j OTHER) >> 9) + 1/2`` over 2^23. vesicles: of a full
    pool. temperature: of the relaxation. share: of the queries that are drawn, by the first number of their own bits.
    """

    rows: Tensor
    way: Way
    vesicles: int
    temperature: float
    share: float
