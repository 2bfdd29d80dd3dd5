"""``gated_sum`` compiled by numba: the gate is made where it is used, and made again on the way back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.kernels.compiled import too_few_elements
from wetware.kernels.compiled.fit import unfit


def refuses(x: Tensor, logits: Tensor, bias: Tensor, update: Tensor) -> str | None:
    """Why these arguments need the reference, or None."""
    if reason := unfit({"x": x, "logits": logits, "bias": bias, "update": update}, torch.float32):
        return reason
    if not x.shape == logits.shape == update.shape:
        return f"needs three tensors of one shape, got {list(x.shape)}, {list(logits.shape)}, {list(update.shape)}"
    if bias.shape != x.shape[-1:]:  # the loops have no bounds checks
        return f"needs a bias of {list(x.shape[-1:])}, got {list(bias.shape)}"
    return too_few_elements(x.numel())


def run(x: Tensor, logits: Tensor, bias: Tensor, update: Tensor) -> Tensor:
    """Same signature and meaning as the reference."""
    return _Compiled.apply(x, logits, bias, update)


def _rows(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().view(-1, tensor.shape[-1]).numpy()


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, logits: Tensor, bias: Tensor, update: Tensor) -> Tensor:
        from wetware.kernels.compiled import threads
        from wetware.kernels.gated_sum import compiled_loops as loops

        made = torch.empty_like(x, memory_format=torch.contiguous_format)
        arrays = (_rows(x), _rows(logits), bias.detach().contiguous().numpy(), _rows(update), _rows(made))
        count = len(arrays[0])
        threads.run(lambda first, last: loops.forward(*arrays, first, last), threads.shares(count, least=64))
        ctx.save_for_backward(logits, bias, update)
        return made

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        from wetware.kernels.compiled import threads
        from wetware.kernels.gated_sum import compiled_loops as loops

        logits, bias, update = ctx.saved_tensors
        above = gradients[0].contiguous()
        to_logits, to_update = torch.empty_like(above), torch.empty_like(above)
        arrays = (_rows(logits), bias.detach().contiguous().numpy(), _rows(update), _rows(above))
        outputs = (_rows(to_logits), _rows(to_update))
        parts = threads.shares(len(arrays[0]), least=64)
        sums = np.zeros((len(parts), len(bias)))
        starts = [first for first, _ in parts]

        def work(first: int, last: int) -> None:
            loops.backward(*arrays, *outputs, sums[starts.index(first)], first, last)

        threads.run(work, parts)
        return above, to_logits, torch.from_numpy(sums.sum(0)).to(bias.dtype), to_update
