"""``lif_scan``: a layer of leaky integrate-and-fire neurons walked along time."""

from wetware.kernels.compiled import HOW
from wetware.kernels.lif_scan import compiled, triton, walk
from wetware.kernels.lif_scan.cases import cases
from wetware.kernels.lif_scan.reference import LIFState, reference, soft_clamp, spike, surrogate
from wetware.kernels.op import Op

lif_scan = Op("lif_scan", reference, cases)
lif_scan.backend("numba", compiled.refuses, HOW)(compiled.run)
lif_scan.backend("triton", triton.refuses)(triton.run)
lif_scan.backend("walk", walk.refuses)(walk.run)

__all__ = ["LIFState", "lif_scan", "soft_clamp", "spike", "surrogate"]
