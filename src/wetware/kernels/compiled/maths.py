"""Functions of one number that LLVM can compute for sixteen at once (the C library's are called one by one)."""

from __future__ import annotations

import math

import numpy as np

from wetware.kernels.compiled import vectors
from wetware.kernels.compiled.jit import jit

_UNIT = np.int32(0x3F800000)  # the bits of 1
_from_bits, _to_bits = vectors.float_from_bits(), vectors.bits_of_float()
# ln 2 as a sum of two float32, the first with zeros at its end, so that n * _HIGH is exact
_HIGH, _LOW, _RATE = np.float32(0.693359375), np.float32(-2.12194440e-4), np.float32(1.44269504)
# of exp(r) = 1 + r + r^2 P(r) on |r| <= ln 2 / 2 (Cephes, Moshier, 1989)
_P0, _P1, _P2 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
_P3, _P4, _P5 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(5.0000001201e-1)


@jit
def exp(x):
    """``e^x`` in float32, within 2e-7 of itself for x in [-87, 88]; beyond, its value at the ends."""
    x = min(max(np.float32(x), np.float32(-87.0)), np.float32(88.0))
    n = np.float32(math.floor(x * _RATE + np.float32(0.5)))
    r = (x - n * _HIGH) - n * _LOW
    p = ((((_P0 * r + _P1) * r + _P2) * r + _P3) * r + _P4) * r + _P5
    return (p * r * r + r + np.float32(1.0)) * _from_bits((np.int32(n) + np.int32(127)) << np.int32(23))


# 1.5 * 2^23: a float32 added to it is rounded to a whole number, which then stands in the lowest bits
_WHOLE = np.float32(12582912.0)


@jit
def exp_within(x):
    """``e^x`` as :func:`exp`, for x in [-80, 80] only; shorter, so that several of them fit into one loop."""
    t = x * _RATE + _WHOLE
    n = t - _WHOLE
    r = (x - n * _HIGH) - n * _LOW
    p = ((((_P0 * r + _P1) * r + _P2) * r + _P3) * r + _P4) * r + _P5
    return (p * r * r + r + np.float32(1.0)) * _from_bits(np.int32(np.int32(_to_bits(t) << np.int32(23)) + _UNIT))


@jit
def sigmoid(x):
    """``1 / (1 + e^-x)``."""
    return np.float32(1.0) / (np.float32(1.0) + exp(-x))


# of tanh(x) = x + x^3 P(x^2) on |x| <= 0.625 (Cephes)
_T0, _T1, _T2 = np.float32(-5.70498872745e-3), np.float32(2.06390887954e-2), np.float32(-5.37397155531e-2)
_T3, _T4 = np.float32(1.33314422036e-1), np.float32(-3.33332819422e-1)


@jit
def tanh(x):
    """``(e^2x - 1) / (e^2x + 1)`` in float32, within 2e-7 of itself however small; of infinity 1."""
    size, square = abs(x), x * x
    near = ((((_T0 * square + _T1) * square + _T2) * square + _T3) * square + _T4) * square * x + x
    far = np.float32(1.0) - np.float32(2.0) / (exp(size + size) + np.float32(1.0))
    return near if size < np.float32(0.625) else (far if x > 0.0 else -far)


# of log(1 + r) = r - r^2 / 2 + r^3 P(r) on [sqrt(1/2) - 1, sqrt(2) - 1] (Cephes)
_L0, _L1, _L2 = np.float32(7.0376836292e-2), np.float32(-1.1514610310e-1), np.float32(1.1676998740e-1)
_L3, _L4, _L5 = np.float32(-1.2420140846e-1), np.float32(1.4249322787e-1), np.float32(-1.6668057665e-1)
_L6, _L7, _L8 = np.float32(2.0000714765e-1), np.float32(-2.4999993993e-1), np.float32(3.3333331174e-1)
_ROOT = np.int32(0x3F3504F3)  # the bits of sqrt(1/2)


@jit
def log(x):
    """The natural logarithm of a normal positive float32, within 2e-7 of itself or, next to 1, of ``|x - 1|``; exactly 0 of 1."""
    bits = _to_bits(x)
    n = np.int32(np.int32(bits - _ROOT) >> np.int32(23))
    r = _from_bits(np.int32(bits - np.int32(n << np.int32(23)))) - np.float32(1.0)
    p = ((((_L0 * r + _L1) * r + _L2) * r + _L3) * r + _L4) * r + _L5
    p = ((p * r + _L6) * r + _L7) * r + _L8
    square, scale = r * r, np.float32(n)
    low = p * r * square + scale * _LOW - np.float32(0.5) * square
    return scale * _HIGH + (r + low)
