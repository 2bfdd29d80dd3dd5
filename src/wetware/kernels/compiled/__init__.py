"""What the compiled CPU backends share: vector kernels, matrix products, event sums, threads. Needs numba (extra ``fast``).

The modules beside this one import numba when they are imported; a backend imports them when it is first run. This file
imports nothing, so that asking whether numba is there costs nothing.
"""

from __future__ import annotations

import functools
import importlib.util

SWITCH = 0.35
"""Share of spikes from which a dense product is faster than a sum over them (measured: ``lif_layer.py --all-rates``)."""

HOW = f"sums over spikes up to {SWITCH:.0%} firing, dense products above"


FEW_ROWS, FEW_ELEMENTS = 16, 8192
"""Below these, making arguments ready for compiled code takes longer than computing elsewhere (measured, token by token)."""


def too_few_rows(rows: int, weights: int) -> str | None:
    """A reason to refuse, when ``rows`` vectors meet a matrix of ``weights`` numbers that would have to be laid out anew."""
    if rows < FEW_ROWS and weights >= 2 * FEW_ELEMENTS:
        return f"{rows} tokens are too few to pay for laying out {weights} weights"
    return None


def too_few_elements(count: int) -> str | None:
    """A reason to refuse to pass over ``count`` numbers."""
    return f"{count} numbers are too few to pay for the call" if count < FEW_ELEMENTS else None


@functools.cache
def why_not() -> str | None:
    """Why compiled kernels cannot be had here, or None."""
    if importlib.util.find_spec("numba") is None:
        return "numba is not installed (pip install 'wetware[fast]')"
    return None
