"""Arguments on which every backend of ``gated_sum`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from wetware.kernels.op import Case


def cases() -> Iterator[Case]:
    """Odd sizes; gates half open, and gates far open and far shut."""
    for shape, scale in (((1, 1), 1.0), ((8200, 1), 1.0), ((3, 2741), 1.0), ((2, 125, 33), 1.0), ((70, 130), 20.0)):
        generator = torch.Generator().manual_seed(shape[-1])
        x, logits, update = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(3))
        bias = torch.randn(shape[-1], generator=generator, dtype=torch.float64)
        yield Case("x".join(map(str, shape)) + f"-{scale:g}", (x, scale * logits, bias, update), {})
