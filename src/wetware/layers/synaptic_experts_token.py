"""A token of each text through synaptic experts, compiled: no sorting by expert, and one call instead of dozens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from wetware.derived import made_once
from wetware.kernels.compiled import why_not
from wetware.layers.experts import Answered

FEW = 32
"""Texts from which matrices are better multiplied with several tokens at once."""


def refuses(layer: Any, x: Tensor, state: Any, keep: Tensor) -> str | None:
    """Why this layer needs its own forward for this chunk, or None."""
    if x.shape[1] != 1 or not 1 <= len(x) <= FEW:
        return f"is for one token of 1 to {FEW} texts, got {list(x.shape[:2])}"
    if torch.is_grad_enabled():
        return "gradients are recorded"
    if reason := why_not():
        return reason
    for name, tensor in (("x", x), ("up", layer.up)):
        if not tensor.is_cpu or tensor.dtype != torch.float32:
            return f"needs float32 on the CPU, got {name} of {tensor.dtype} on {tensor.device.type}"
    if torch.is_autocast_enabled("cpu"):
        return "autocast would have matrices in another type"
    return None


def run(layer: Any, x: Tensor, state: Any, keep: Tensor) -> Answered:
    """Same signature and meaning as the forward of :class:`~wetware.layers.synaptic_experts.SynapticExpertsLayer`."""
    from wetware.kernels.compiled import threads
    from wetware.layers import synaptic_experts_loops as loops

    fatigue = layer.config.fatigue
    before = x.new_empty(0, 0) if fatigue is None else state
    left, out = torch.empty_like(before), torch.empty_like(x, memory_format=torch.contiguous_format)
    weights = made_once(layer, "token", lambda: _weights(layer, loops.Weights))
    given = (x, layer.router(x), before, keep, left, out)
    arrays = [tensor.contiguous().flatten(1).numpy() for tensor in given]
    threads.run(lambda a, b: loops.take(weights, *arrays, a, b), threads.shares(len(x)))
    return Answered(out, state if fatigue is None else left)


def _weights(layer: Any, kind: Any) -> Any:
    """The parameters as the loop reads them."""
    fatigue = layer.config.fatigue
    tensors = (layer.genes, layer.up, layer.down, layer.gate, layer.alive, layer.log_share)
    arrays = (tensor.detach().contiguous().numpy() for tensor in tensors)
    return kind(*arrays, *((fatigue.tau, fatigue.strength) if fatigue else (1.0, 0.0)), layer.config.top_k)
