"""Arguments on which every backend of ``rms_norm`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from wetware.kernels.op import Case


def cases() -> Iterator[Case]:
    """Odd sizes and ranks; ordinary, large and small vectors; with a floor of its own, zeros too."""
    for shape, scale, floor in (
        ((1, 1), 1.0, None),
        ((8200, 1), 1.0, None),
        ((3, 2741), 1.0, None),
        ((2, 125, 33), 30.0, None),
        ((2, 3, 86, 16), 0.1, None),
        ((67, 130), 1.0, None),
        ((5, 31, 55), 0.1, 0.01),
        ((5, 31, 55), 0.0, 0.01),
    ):
        generator = torch.Generator().manual_seed(len(shape))
        x = scale * torch.randn(shape, generator=generator, dtype=torch.float64)
        label = "x".join(map(str, shape)) + ("" if floor is None else f"-{scale:g}-floor-{floor:g}")
        yield Case(label, (x,), {} if floor is None else {"floor": floor})
