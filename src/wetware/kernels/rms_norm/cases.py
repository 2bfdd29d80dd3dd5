"""Arguments on which every backend of ``rms_norm`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from wetware.kernels.op import Case


def cases() -> Iterator[Case]:
    """Odd sizes and ranks; ordinary, large and small vectors."""
    for shape, scale in (
        ((1, 1), 1.0),
        ((8200, 1), 1.0),
        ((3, 2741), 1.0),
        ((2, 125, 33), 30.0),
        ((2, 3, 86, 16), 0.1),
        ((67, 130), 1.0),
    ):
        generator = torch.Generator().manual_seed(len(shape))
        yield Case(
            "x".join(map(str, shape)), (scale * torch.randn(shape, generator=generator, dtype=torch.float64),), {}
        )
