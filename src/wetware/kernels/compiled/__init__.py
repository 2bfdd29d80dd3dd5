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


@functools.cache
def why_not() -> str | None:
    """Why compiled kernels cannot be had here, or None."""
    if importlib.util.find_spec("numba") is None:
        return "numba is not installed (pip install 'wetware[fast]')"
    return None
