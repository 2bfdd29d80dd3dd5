"""``lateral_inhibition``: shares of attention that inhibit their neighbours."""

from wetware.kernels.lateral_inhibition import compiled
from wetware.kernels.lateral_inhibition.cases import cases
from wetware.kernels.lateral_inhibition.reference import reference
from wetware.kernels.op import Op

lateral_inhibition = Op("lateral_inhibition", reference, cases)
lateral_inhibition.backend("numba", compiled.refuses)(compiled.run)

__all__ = ["lateral_inhibition"]
