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

from wetware.hashing import GOLDEN, LONG, WORD, mix32, mix64


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
        self.seed, self.draws = seed & LONG, 0

    def key(self, row: int) -> int:
        """64 bits for the coming draw of one sequence."""
        return mix64(mix64((self.seed + self.draws * GOLDEN) & LONG) ^ mix64(row))

    def noise(self, batch: int, vocab_size: int, device: torch.device | str = "cpu") -> Tensor:
        """[B, V] in float64: the Gumbel noise of the coming draw, which then counts as done."""
        keys = [self.key(row) for row in range(batch)]
        low, high = (torch.tensor([[part(key)] for key in keys]) for part in (lambda k: k & WORD, lambda k: k >> 32))
        random = mix32((mix32(torch.arange(vocab_size) ^ low) + high) & WORD)
        self.draws += 1
        return -torch.log(-torch.log((random.double() + 0.5) / 2.0**32)).to(device)
