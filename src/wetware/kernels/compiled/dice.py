"""The random numbers of generation, compiled; what they are is said in :mod:`wetware.models.dice`, which gives the same."""

from __future__ import annotations

import math

import numpy as np

from wetware.kernels.compiled.jit import jit


@jit
def mix64(z):
    """A bijection of 64 bits that looks random (the output function of splitmix64: Steele, Lea and Flood, 2014)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@jit
def key(seed, draw, row):
    """64 bits for one draw of one sequence; all uint64."""
    return mix64(mix64(seed + draw * np.uint64(0x9E3779B97F4A7C15)) ^ mix64(row))


@jit
def mix32(x):
    """A bijection of 32 bits that looks random. (numba computes in 64 bits what is not cut down again.)"""
    x = np.uint32((x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D))
    x = np.uint32((x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(x ^ (x >> np.uint32(16)))


@jit
def bits(key, token):
    """32 random bits of one token."""
    low, high = np.uint32(key & np.uint64(0xFFFFFFFF)), np.uint32(key >> np.uint64(32))
    return mix32(np.uint32(mix32(np.uint32(np.uint32(token) ^ low)) + high))


@jit
def gumbel(random):
    """``-log(-log(u))`` with ``u = (random + 1/2) / 2^32``."""
    return -math.log(-math.log((np.float64(random) + 0.5) / 4294967296.0))
