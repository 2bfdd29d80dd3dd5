"""Arguments on which every backend of ``spike_linear`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from wetware.kernels.op import Case


def cases() -> Iterator[Case]:
    """Odd sizes; no spike at all, few, many, all; and graded outputs in their place."""
    for shape, outputs, rate in (
        ((1, 1, 1), 1, 1.0),
        ((3, 7, 5), 9, 0.0),
        ((2, 9, 33), 70, 0.1),
        ((41, 129), 31, 0.2),
        ((4, 5, 64), 300, 0.9),
    ):
        generator = torch.Generator().manual_seed(outputs)
        spikes = (torch.rand(shape, generator=generator, dtype=torch.float64) < rate).double()
        weight = torch.randn(outputs, shape[-1], generator=generator, dtype=torch.float64)
        yield Case("x".join(map(str, (*shape, outputs))) + f"-{rate:.0%}", (spikes, weight), {})
    generator = torch.Generator().manual_seed(0)
    graded, weight = (
        torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((3, 17, 33), (70, 33))
    )
    yield Case("graded", (torch.sigmoid(graded), weight), {})
