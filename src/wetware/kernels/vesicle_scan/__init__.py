"""``vesicle_scan``: scores of attention through synapses whose vesicles run out."""

from wetware.kernels.op import Op
from wetware.kernels.vesicle_scan import compiled, triton
from wetware.kernels.vesicle_scan.cases import cases
from wetware.kernels.vesicle_scan.reference import KINETICS, reference

vesicle_scan = Op("vesicle_scan", reference, cases)
vesicle_scan.backend("numba", compiled.refuses)(compiled.run)
vesicle_scan.backend("triton", triton.refuses)(triton.run)

__all__ = ["KINETICS", "vesicle_scan"]
