"""Arguments on which every backend of ``linear_attention`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from wetware.kernels.op import Case


def cases() -> Iterator[Case]:
    """Odd sizes, shorter and longer than a chunk; binary and real keys; with and without boundaries, at a first token too."""
    for batch, steps, heads, keys, values, binary, keep in (
        (1, 1, 1, 1, 1, False, False),
        (2, 7, 3, 5, 4, True, True),
        (3, 33, 2, 3, 9, False, True),
        (2, 64, 1, 8, 8, True, False),
        (3, 150, 2, 7, 5, True, True),
        (2, 131, 3, 4, 6, False, False),
    ):
        generator = torch.Generator().manual_seed(100 * steps + keys)

        def draw(*shape: int, generator: torch.Generator = generator) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        query, key = draw(batch, steps, heads, keys), draw(batch, steps, heads, keys)
        if binary:
            query, key = (query > 0.5).double(), (key > 0.5).double()
        kept = None
        if keep:
            kept = (draw(batch, steps) > -1.5).double()
            kept[0, 0] = 0.0
            kept[-1] = 1.0
        state, decay = draw(batch, heads, keys, values), torch.sigmoid(2.0 + draw(heads))
        label = f"{batch}x{steps}x{heads}x{keys}x{values}"
        yield Case(label, (query, key, draw(batch, steps, heads, values), state, decay, kept), {})
