"""``graded_scan``: a layer of leaky neurons with graded outputs walked along time."""

from wetware.kernels.graded_scan import walk
from wetware.kernels.graded_scan.cases import cases
from wetware.kernels.graded_scan.reference import reference
from wetware.kernels.op import Op

graded_scan = Op("graded_scan", reference, cases)
graded_scan.backend("walk", walk.refuses)(walk.run)

__all__ = ["graded_scan"]
