"""``leaky_scan``: running sums that leak, at a rate of their own at each token."""

from wetware.kernels.leaky_scan import compiled
from wetware.kernels.leaky_scan.cases import cases
from wetware.kernels.leaky_scan.reference import reference
from wetware.kernels.op import Op

leaky_scan = Op("leaky_scan", reference, cases)
leaky_scan.backend("numba", compiled.refuses)(compiled.run)

__all__ = ["leaky_scan"]
