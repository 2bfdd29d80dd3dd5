"""Arguments on which every backend of ``cross_entropy`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from wetware.kernels.op import Case


def cases() -> Iterator[Case]:
    """Odd sizes; flat, peaked and very large logits."""
    for rows, vocab_size, scale in ((1, 1, 1.0), (3, 7, 1.0), (5, 67, 10.0), (17, 1000, 0.1), (4, 33, 200.0)):
        generator = torch.Generator().manual_seed(rows)
        logits = scale * torch.randn(rows, vocab_size, generator=generator, dtype=torch.float64)
        targets = torch.randint(vocab_size, (rows,), generator=generator)
        yield Case(f"{rows}x{vocab_size}-{scale:g}", (logits, targets), {})
