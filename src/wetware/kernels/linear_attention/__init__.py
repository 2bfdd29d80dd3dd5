"""``linear_attention``: attention without a softmax, whose past fits into one matrix a head."""

from wetware.kernels.linear_attention import chunked
from wetware.kernels.linear_attention.cases import cases
from wetware.kernels.linear_attention.reference import reference
from wetware.kernels.op import Op

linear_attention = Op("linear_attention", reference, cases)
linear_attention.backend("chunked", chunked.refuses, chunked.HOW)(chunked.run)

__all__ = ["linear_attention"]
