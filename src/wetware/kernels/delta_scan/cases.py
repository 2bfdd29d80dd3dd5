"""Arguments on which every backend of ``delta_scan`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from wetware.kernels.op import Case


def cases() -> Iterator[Case]:
    """Odd sizes, shorter and longer than a chunk; the delta rule, Hebb's and what is neither; decays from none to nearly all;
    with and without boundaries, at a first token too."""
    for batch, steps, heads, keys, values, rule, keep in (
        (1, 1, 1, 1, 1, "delta", False),
        (2, 7, 3, 5, 4, "delta", True),
        (3, 33, 2, 3, 9, "hebb", True),
        (2, 64, 1, 8, 8, "delta", False),
        (3, 150, 2, 7, 5, "both", True),
        (2, 131, 3, 4, 6, "both", False),
    ):
        generator = torch.Generator().manual_seed(100 * steps + keys)

        def draw(*shape: int, generator: torch.Generator = generator) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        query, key, value = (
            draw(batch, steps, heads, keys),
            draw(batch, steps, heads, keys),
            draw(batch, steps, heads, values),
        )
        key = key / key.norm(dim=-1, keepdim=True)
        decay = -torch.exp(2.0 * draw(batch, steps, heads) - 2.0)
        write = torch.sigmoid(draw(batch, steps, heads))
        erase = {"delta": write, "hebb": 0.0 * write, "both": torch.sigmoid(draw(batch, steps, heads))}[rule]
        kept = None
        if keep:
            kept = (draw(batch, steps) > -1.5).double()
            kept[0, 0] = 0.0
            kept[-1] = 1.0
        state = draw(batch, heads, keys, values)
        label = f"{batch}x{steps}x{heads}x{keys}x{values}-{rule}"
        yield Case(label, (query, key, value, state, decay, erase, write, kept), {})
