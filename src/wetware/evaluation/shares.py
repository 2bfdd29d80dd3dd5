"""Shares: how sure one may be of a share that was counted."""

from __future__ import annotations

Z = 1.959964  # two-sided 95 %


def wilson(points: float, count: int) -> tuple[float, float]:
    """The 95 % interval of the share ``points / count`` of independent trials, which holds near 0 and 1 too (Wilson, 1927).
    ``points`` may hold halves, for ties. Raises ValueError when there are no trials."""
    if count < 1:
        raise ValueError(f"count = {count}: allowed 1 or more")
    share, spread = points / count, Z * Z / count
    middle = share + spread / 2
    reach = (spread * (share * (1 - share) + spread / 4)) ** 0.5
    return max(0.0, (middle - reach) / (1 + spread)), min(1.0, (middle + reach) / (1 + spread))
