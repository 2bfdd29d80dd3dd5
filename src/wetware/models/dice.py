"""Random choices that do not depend on how they are computed.

To draw a token with probability softmax(z) is to take the largest ``z_i + g_i`` with independent Gumbel noise
``g_i = -log(-log u_i)`` (Gumbel, 1954; Maddison, Tarlow and Minka, 2014). Here ``u_i`` is a hash of (seed, number of the draw,
sequence, token). So an engine may leave out tokens whose largest possible sum cannot win, and still choose exactly what all
tokens together would have.
"""

from __future__ import annotations

import secrets

import torch
from torch import Tensor

_WORD, _LONG = (1 << 32) - 1, (1 << 64) - 1


def _mix64(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _LONG
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _LONG
    return z ^ (z >> 31)


def _mix32(x: Tensor) -> Tensor:
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & _WORD
    x = ((x ^ (x >> 15)) * 0x846CA68B) & _WORD
    return x ^ (x >> 16)


class Dice:
    """Noise for a batch of sequences, draw by draw.

    Args:
        seed: any whole number, of which 64 bits count; the same gives the same noise on every machine. None takes one from
            the system.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.reseed(secrets.randbits(63) if seed is None else seed)

    def reseed(self, seed: int) -> None:
        """Begin again, with this seed."""
        self.seed, self.draws = seed & _LONG, 0

    def key(self, row: int) -> int:
        """64 bits for the coming draw of one sequence."""
        return _mix64(_mix64((self.seed + self.draws * 0x9E3779B97F4A7C15) & _LONG) ^ _mix64(row))

    def noise(self, batch: int, vocab_size: int, device: torch.device | str = "cpu") -> Tensor:
        """[B, V] in float64: the Gumbel noise of the coming draw, which then counts as done."""
        keys = [self.key(row) for row in range(batch)]
        low, high = (torch.tensor([[part(key)] for key in keys]) for part in (lambda k: k & _WORD, lambda k: k >> 32))
        random = _mix32((_mix32(torch.arange(vocab_size) ^ low) + high) & _WORD)
        self.draws += 1
        return -torch.log(-torch.log((random.double() + 0.5) / 2.0**32)).to(device)
