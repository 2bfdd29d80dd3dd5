"""The formula of ``rms_norm``."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def reference(x: Tensor, floor: float | None = None) -> Tensor:
    """``x / sqrt(mean(x^2) + floor)`` over the last dimension, without parameters.

    floor: > 0, the mean square below which vectors are left small; the gradient is never larger than ``floor^-1/2`` times that
    from above. None: the type's spacing at 1, for vectors that are never near zero.

    Zhang and Sennrich, 2019.
    """
    return functional.rms_norm(x, (x.shape[-1],), eps=floor)
