"""Arguments on which every backend of ``lif_scan`` is held against the reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from wetware.kernels.lif_scan.reference import LIFState
from wetware.kernels.op import Case


def _arguments(batch: int, steps: int, size: int, *, recurrent: bool, keep: bool) -> tuple:
    generator = torch.Generator().manual_seed(1000 * batch + 10 * steps + size)

    def draw(*shape: int) -> Tensor:
        # float64: another summation order must not move a neuron across its threshold, so that any difference is a fault
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    decay, threshold, gain = (
        torch.sigmoid(draw(size)),
        0.5 + 0.5 * torch.sigmoid(draw(size)),
        torch.exp(0.1 * draw(size)),
    )
    state = LIFState(draw(batch, size), (draw(batch, size) > 1.0).double())
    weights = 0.3 * draw(size, size) / size**0.5 if recurrent else None
    kept = (draw(batch, steps) > -1.2).double() if keep else None
    return draw(batch, steps, size), state, decay, threshold, gain, weights, kept


def cases() -> Iterator[Case]:
    """Odd sizes; recurrence, boundaries, the clamp and the gradient through the reset present and absent."""
    for batch, steps, size, recurrent, keep, reset_gradient, bound in (
        (1, 1, 1, False, False, 0.0, None),
        (3, 7, 5, True, True, 0.0, None),
        (2, 33, 17, True, False, 1.0, 3.0),
        (5, 19, 31, False, True, 0.5, 2.0),
        (2, 64, 129, True, True, 0.0, 30.0),
    ):
        arguments = _arguments(batch, steps, size, recurrent=recurrent, keep=keep)
        for name, width in (("absolute", torch.ones(size).double()), ("relative", arguments[3].clone())):
            keywords = {"width": width, "slope": 2.0, "reset_gradient": reset_gradient, "bound": bound}
            yield Case(f"{batch}x{steps}x{size}-{name}", arguments, keywords)
