"""``cross_entropy``: what is paid for a token, from the logits of all."""

from wetware.kernels.cross_entropy import compiled
from wetware.kernels.cross_entropy.cases import cases
from wetware.kernels.cross_entropy.reference import reference
from wetware.kernels.op import Op

cross_entropy = Op("cross_entropy", reference, cases)
cross_entropy.backend("numba", compiled.refuses)(compiled.run)

__all__ = ["cross_entropy"]
