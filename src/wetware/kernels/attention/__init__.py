"""``attention``: causal softmax attention over a cache kept in segments."""

from wetware.kernels.attention import fused
from wetware.kernels.attention.cases import cases
from wetware.kernels.attention.reference import reference
from wetware.kernels.op import Op

attention = Op("attention", reference, cases)
attention.backend("fused", fused.refuses)(fused.run)

__all__ = ["attention"]
