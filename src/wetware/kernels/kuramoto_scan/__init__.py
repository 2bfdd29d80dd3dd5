"""``kuramoto_scan``: coupled oscillators on a sphere, walked along time."""

from wetware.kernels.kuramoto_scan import compiled
from wetware.kernels.kuramoto_scan.cases import cases
from wetware.kernels.kuramoto_scan.reference import reference
from wetware.kernels.op import Op

kuramoto_scan = Op("kuramoto_scan", reference, cases)
kuramoto_scan.backend("numba", compiled.refuses)(compiled.run)

__all__ = ["kuramoto_scan"]
