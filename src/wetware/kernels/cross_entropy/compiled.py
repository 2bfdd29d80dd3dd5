"""``cross_entropy`` compiled by numba: the logits are read once, and nothing of their size is written but their gradient.

PyTorch writes the logarithms of all probabilities, a gradient that is zero but for one entry a row, and then the gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.kernels.compiled.fit import unfit


def refuses(logits: Tensor, targets: Tensor) -> str | None:
    """Why these arguments need the reference, or None."""
    if reason := unfit({"logits": logits}, torch.float32):
        return reason
    if logits.ndim != 2 or logits.shape[:1] != targets.shape:  # the loops have no bounds checks
        return f"needs logits [R, V] and targets [R], got {list(logits.shape)} and {list(targets.shape)}"
    return None if logits.numel() else "needs at least one row"


def run(logits: Tensor, targets: Tensor) -> Tensor:
    """Same signature and meaning as the reference. Raises IndexError for a target that is no token."""
    return _Compiled.apply(logits, targets)


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:
        from wetware.kernels.compiled import threads
        from wetware.kernels.cross_entropy import compiled_loops as loops

        logits, wanted = logits.contiguous(), targets.contiguous()
        if not 0 <= int(wanted.min()) <= int(wanted.max()) < logits.shape[1]:
            raise IndexError(
                f"targets from {int(wanted.min())} to {int(wanted.max())}: allowed 0 to {logits.shape[1] - 1}"
            )
        totals, losses = torch.empty(len(logits)), np.empty(len(logits))
        arrays = (logits.detach().numpy(), wanted.numpy(), totals.numpy(), losses)
        threads.run(lambda first, last: loops.forward(*arrays, first, last), threads.shares(len(logits)))
        ctx.save_for_backward(logits, wanted, totals)
        return logits.new_tensor(losses.mean())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        from wetware.kernels.compiled import threads
        from wetware.kernels.cross_entropy import compiled_loops as loops

        logits, wanted, totals = ctx.saved_tensors
        made = torch.empty_like(logits)
        weight = np.float32(gradients[0].item() / len(logits))
        arrays = (logits.detach().numpy(), wanted.numpy(), totals.numpy(), weight, made.numpy())
        threads.run(lambda first, last: loops.backward(*arrays, first, last), threads.shares(len(logits)))
        return made, None
