"""``latch_scan``: the bistable pair of CaMKII and PP1, walked along time."""

from wetware.kernels.latch_scan import compiled
from wetware.kernels.latch_scan.cases import cases
from wetware.kernels.latch_scan.reference import KINETICS, reference
from wetware.kernels.op import Op

latch_scan = Op("latch_scan", reference, cases)
latch_scan.backend("numba", compiled.refuses)(compiled.run)

__all__ = ["KINETICS", "latch_scan"]
