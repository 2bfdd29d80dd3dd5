"""``rms_norm`` compiled by numba: one reading of a vector forward, one of it and of its gradient backward.

PyTorch's own makes a dozen passes over memory, forward and backward together, on a CPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.kernels.compiled import too_few_elements
from wetware.kernels.compiled.fit import unfit


def refuses(x: Tensor, floor: float | None = None) -> str | None:
    """Why this argument needs the reference, or None."""
    if reason := unfit({"x": x}, torch.float32):
        return reason
    return too_few_elements(x.numel())


def run(x: Tensor, floor: float | None = None) -> Tensor:
    """Same signature and meaning as the reference."""
    return _Compiled.apply(x, torch.finfo(x.dtype).eps if floor is None else floor)


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, floor: float) -> Tensor:
        from wetware.kernels.compiled import threads
        from wetware.kernels.rms_norm import compiled_loops as loops

        x = x.contiguous()
        flat, made = x.detach().view(-1, x.shape[-1]), torch.empty_like(x)
        factors = x.new_empty(len(flat))
        arrays = (flat.numpy(), made.view(flat.shape).numpy(), factors.numpy(), np.float32(floor))
        threads.run(lambda first, last: loops.forward(*arrays, first, last), threads.shares(len(flat), least=64))
        ctx.save_for_backward(x, factors)
        return made

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        from wetware.kernels.compiled import threads
        from wetware.kernels.rms_norm import compiled_loops as loops

        x, factors = ctx.saved_tensors
        above, made = gradients[0].contiguous().view(-1, x.shape[-1]), torch.empty_like(x)
        arrays = (x.detach().view(above.shape), factors, above, made.view(above.shape))
        fixed = [array.numpy() for array in arrays]
        threads.run(lambda first, last: loops.backward(*fixed, first, last), threads.shares(len(above), least=64))
        return made, None
