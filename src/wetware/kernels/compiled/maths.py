"""Functions of one number that LLVM can compute for sixteen at once (the C library's are called one by one)."""

from __future__ import annotations

import math

import numpy as np

from wetware.kernels.compiled import vectors
from wetware.kernels.compiled.jit import jit

_from_bits = vectors.float_from_bits()
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


_to_bits = vectors.bits_of_float()
_ROOT = np.int32(0x3F3504F3)  # the bits of sqrt(1/2)
# of log(1 + f) = f - f^2 / 2 + f^3 P(f) on sqrt(1/2) <= 1 + f < sqrt(2) (Cephes)
_L0, _L1, _L2 = np.float32(7.0376836292e-2), np.float32(-1.1514610310e-1), np.float32(1.1676998740e-1)
_L3, _L4, _L5 = np.float32(-1.2420140846e-1), np.float32(1.4249322787e-1), np.float32(-1.6668057665e-1)
_L6, _L7, _L8 = np.float32(2.0000714765e-1), np.float32(-2.4999993993e-1), np.float32(3.3333331174e-1)


@jit
def log(x):
    """The natural logarithm in float32 of a positive normal number, within 1e-7 of itself or 1e-7, whichever is more."""
    bits = _to_bits(np.float32(x))
    exponent = np.int32((bits - _ROOT) >> np.int32(23))
    f = _from_bits(np.int32(bits - np.int32(exponent << np.int32(23)))) - np.float32(1.0)
    n, z = np.float32(exponent), f * f
    p = (((((_L0 * f + _L1) * f + _L2) * f + _L3) * f + _L4) * f + _L5) * f + _L6
    p = ((p * f + _L7) * f + _L8) * f * z
    return n * _HIGH + (f + (p + n * _LOW - np.float32(0.5) * z))


_UNIT = np.int32(0x3F800000)  # the bits of 1
# 1.5 * 2^23: a float32 added to it is rounded to a whole number, which then stands in the lowest bits
_WHOLE = np.float32(12582912.0)


@jit
def exp_within(x):
    """``e^x`` as :func:`exp`, for x in [-80, 80] only: half as long, for loops that need several."""
    t = x * _RATE + _WHOLE
    n = t - _WHOLE
    r = (x - n * _HIGH) - n * _LOW
    p = ((((_P0 * r + _P1) * r + _P2) * r + _P3) * r + _P4) * r + _P5
    return (p * r * r + r + np.float32(1.0)) * _from_bits(np.int32(np.int32(_to_bits(t) << np.int32(23)) + _UNIT))


# of erfinv(x) = x P(w) with w = -log(1 - x^2) (Giles, 2012): P in w - 2.5 below 5, above in sqrt(w) - 3
_N0, _N1, _N2 = np.float32(2.81022636e-8), np.float32(3.43273939e-7), np.float32(-3.5233877e-6)
_N3, _N4, _N5 = np.float32(-4.39150654e-6), np.float32(2.1858087e-4), np.float32(-1.25372503e-3)
_N6, _N7, _N8 = np.float32(-4.17768164e-3), np.float32(2.46640727e-1), np.float32(1.50140941)
_F0, _F1, _F2 = np.float32(-2.00214257e-4), np.float32(1.00950558e-4), np.float32(1.34934322e-3)
_F3, _F4, _F5 = np.float32(-3.67342844e-3), np.float32(5.73950773e-3), np.float32(-7.6224613e-3)
_F6, _F7, _F8 = np.float32(9.43887047e-3), np.float32(1.00167406), np.float32(2.83297682)


@jit
def erfinv(x):
    """The inverse of the error function in float32, for x within (-1, 1), within 1e-6 of itself."""
    w = -log((np.float32(1.0) - x) * (np.float32(1.0) + x))
    a, b = w - np.float32(2.5), np.float32(math.sqrt(max(w, np.float32(0.0)))) - np.float32(3.0)
    near = ((((((_N0 * a + _N1) * a + _N2) * a + _N3) * a + _N4) * a + _N5) * a + _N6) * a + _N7
    far = ((((((_F0 * b + _F1) * b + _F2) * b + _F3) * b + _F4) * b + _F5) * b + _F6) * b + _F7
    return (near * a + _N8 if w < np.float32(5.0) else far * b + _F8) * x
