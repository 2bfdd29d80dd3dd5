"""``spike_linear``: a linear map of spikes."""

from wetware.kernels.compiled import HOW
from wetware.kernels.op import Op
from wetware.kernels.spike_linear import compiled
from wetware.kernels.spike_linear.cases import cases
from wetware.kernels.spike_linear.reference import reference

spike_linear = Op("spike_linear", reference, cases)
spike_linear.backend("numba", compiled.refuses, HOW)(compiled.run)

__all__ = ["spike_linear"]
