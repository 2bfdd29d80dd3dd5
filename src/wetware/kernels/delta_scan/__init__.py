"""``delta_scan``: fast weights that decay, erase and write, one matrix for each head."""

from wetware.kernels.delta_scan import chunked, compiled
from wetware.kernels.delta_scan.cases import cases
from wetware.kernels.delta_scan.reference import reference
from wetware.kernels.op import Op

delta_scan = Op("delta_scan", reference, cases)
delta_scan.backend("numba", compiled.refuses)(compiled.run)
delta_scan.backend("chunked", chunked.refuses, chunked.HOW)(chunked.run)

__all__ = ["delta_scan"]
