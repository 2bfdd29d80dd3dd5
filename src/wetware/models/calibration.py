"""Calibration: the scale of a layer's input weights at which it fires as often as it should."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from wetware.neurons import Activity


def scale_until(weight: Tensor, run: Callable[[], Activity], rate: float) -> tuple[Activity, float]:
    """Bisect on a power of two that scales ``weight``, in place, until the layer that ``run`` runs fires at ``rate``. Gives its
    activity and its rate then."""
    start, low, high = weight.clone(), -4.0, 4.0
    for _ in range(12):
        middle = 0.5 * (low + high)
        weight.copy_(start * 2.0**middle)
        low, high = (middle, high) if firing(run()) < rate else (low, middle)
    activity = run()
    return activity, firing(activity)


def firing(activity: Activity) -> float:
    """How often membranes reach their thresholds. For graded neurons this is not the mean of what they send, which has a floor
    that no scale of their input gets below: at rest they still send something."""
    return float((activity.spikes >= 0.5).float().mean())
