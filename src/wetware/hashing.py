"""Hashing: mixtures of bits that look random, for random numbers that belong to what they are drawn for."""

from __future__ import annotations

from torch import Tensor

WORD, LONG = (1 << 32) - 1, (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
"""2^64 over the golden ratio: what is added to a seed so that neighbours are far apart."""
ODD, OTHER = 0x9E3779B1, 0x85EBCA6B
"""The same for 32 bits, and another: multiples of one number the things that are drawn for, of the other the draws of one."""


def mix64(z: int) -> int:
    """A bijection of 64 bits (the output function of splitmix64: Steele, Lea and Flood, 2014)."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & LONG
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & LONG
    return z ^ (z >> 31)


def mix32(x: Tensor) -> Tensor:
    """A bijection of 32 bits, held in int64 so that no product is cut."""
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & WORD
    x = ((x ^ (x >> 15)) * 0x846CA68B) & WORD
    return x ^ (x >> 16)
