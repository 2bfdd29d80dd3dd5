"""``gated_sum``: what a gate lets into a residual stream."""

from wetware.kernels.gated_sum import compiled
from wetware.kernels.gated_sum.cases import cases
from wetware.kernels.gated_sum.reference import reference
from wetware.kernels.op import Op

gated_sum = Op("gated_sum", reference, cases)
gated_sum.backend("numba", compiled.refuses)(compiled.run)

__all__ = ["gated_sum"]
