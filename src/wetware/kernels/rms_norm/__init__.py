"""``rms_norm``: vectors of mean square 1."""

from wetware.kernels.op import Op
from wetware.kernels.rms_norm import compiled
from wetware.kernels.rms_norm.cases import cases
from wetware.kernels.rms_norm.reference import reference

rms_norm = Op("rms_norm", reference, cases)
rms_norm.backend("numba", compiled.refuses)(compiled.run)

__all__ = ["rms_norm"]
