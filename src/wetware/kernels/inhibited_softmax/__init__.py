"""``inhibited_softmax``: shares of attention, by scores that fall with distance, which then inhibit their neighbours."""

from wetware.kernels.inhibited_softmax import compiled
from wetware.kernels.inhibited_softmax.cases import cases
from wetware.kernels.inhibited_softmax.reference import reference
from wetware.kernels.op import Op

inhibited_softmax = Op("inhibited_softmax", reference, cases)
inhibited_softmax.backend("numba", compiled.refuses)(compiled.run)

__all__ = ["inhibited_softmax"]
