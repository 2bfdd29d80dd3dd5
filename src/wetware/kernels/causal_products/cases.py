"""Arguments on which every backend of the causal products is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from wetware.kernels.op import Case

SHAPES = ((1, 1, 1, 1), (2, 3, 63, 5), (1, 2, 64, 8), (2, 1, 65, 3), (1, 2, 300, 4), (3, 2, 1, 7))


def scores_cases() -> Iterator[Case]:
    """Fewer places than a block, as many, one more, several blocks; queries that are a view."""
    for shape in SHAPES:
        query, key = _numbers(*shape, seed=1), _numbers(*shape, seed=2)
        yield Case("x".join(map(str, shape)), (query, key), {})
    yield Case(
        "views", (_numbers(2, 70, 3, 4, seed=3).transpose(1, 2), _numbers(2, 70, 3, 4, seed=4).transpose(1, 2)), {}
    )


def mix_cases() -> Iterator[Case]:
    """The same sizes; shares that are a part of a larger row."""
    for shape in SHAPES:
        batch, heads, steps, _ = shape
        shares = _numbers(batch, heads, steps, steps, seed=1).tril()
        yield Case("x".join(map(str, shape)), (shares, _numbers(*shape, seed=2)), {})
    wide = _numbers(2, 3, 70, 90, seed=3).tril(20)[..., 20:]
    yield Case("views", (wide, _numbers(2, 70, 3, 4, seed=4).transpose(1, 2)), {})


def _numbers(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
