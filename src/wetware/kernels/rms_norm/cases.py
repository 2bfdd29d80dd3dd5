"""Arguments on which every backend of ``rms_norm`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from wetware.kernels.op import Case


def cases() -> Iterator[Case]:
    """Odd sizes and ranks; ordinary, large and small vectors."""
    for shape, scale in (((1, 1), 1.0), ((3, 7), 1.0), ((2, 5, 33), 30.0), ((2, 3, 4, 16), 0.1), ((9, 130), 1.0)):
        generator = torch.Generator().manual_seed(len(shape))
        yield Case(
            "x".join(map(str, shape)), (scale * torch.randn(shape, generator=generator, dtype=torch.float64),), {}
        )
