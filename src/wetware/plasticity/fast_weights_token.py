"""One token through fast weights, compiled: of what a token costs in PyTorch, nearly all is the calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.derived import made_once
from wetware.kernels.compiled import why_not
from wetware.plasticity.latch import BistableEnzymes
from wetware.plasticity.memory import Recalled
from wetware.plasticity.write_rules import DeltaRule, Hebbian


def refuses(memory: Any, x: Tensor, query: Tensor, key: Tensor, value: Tensor, state: Any, keep: Tensor) -> str | None:
    """Why this memory needs its own forward for this chunk, or None."""
    if x.shape[1] != 1:
        return f"is for one token, got {x.shape[1]}"
    if torch.is_grad_enabled():
        return "gradients are recorded"
    if reason := why_not():
        return reason
    if memory.latch is not None and type(memory.latch) is not BistableEnzymes:
        return f"knows the latch BistableLatch, got {type(memory.latch).__name__}"
    if type(memory.config.write) not in (DeltaRule, Hebbian):
        return f"knows DeltaRule and Hebbian, got {type(memory.config.write).__name__}"
    for name, tensor in (("x", x), ("query", query), ("key", key), ("value", value), ("state", state.matrix)):
        if not tensor.is_cpu or tensor.dtype != torch.float32:
            return f"needs float32 on the CPU, got {name} of {tensor.dtype} on {tensor.device.type}"
    shape = (len(x), 1, memory.heads, memory.size)
    if not query.shape == key.shape == value.shape == shape or state.matrix.shape[0] != len(x) or not len(x):
        return f"needs query, key and value of {list(shape)}, got {[list(each.shape) for each in (query, key, value)]}"
    return None


def run(memory: Any, x: Tensor, query: Tensor, key: Tensor, value: Tensor, state: Any, keep: Tensor) -> Recalled:
    """Same signature and meaning as the forward of :class:`~wetware.plasticity.fast_weights.FastWeightsMemory`."""
    from wetware.kernels.compiled import threads
    from wetware.plasticity import fast_weights_loops as loops

    given, weights = (x, query, key, value, keep), made_once(memory, "token", lambda: _weights(memory, loops.Weights))
    now = loops.Token(*(part.contiguous().numpy()[:, 0] for part in given))
    found, left = torch.empty_like(value, memory_format=torch.contiguous_format), _empty_like(state)
    before, after = (loops.State(*map(_array, each)) for each in (_flat(state), _flat(left)))
    out = found.numpy()[:, 0]
    threads.run(lambda a, b: loops.take(weights, now, before, after, out, a, b), threads.shares(len(x)))
    return Recalled(found, left)


NOTHING = np.zeros((0, 0), np.float32)


def _weights(memory: Any, kind: Any) -> Any:
    """The parameters as the loop reads them; what is absent is empty."""
    rows = [memory.gate, memory.half_life, memory.strength]
    demand, trace, latch, growth, dual = (
        memory.input_dependence,
        memory.eligibility,
        memory.latch,
        memory.bdnf,
        memory.dual,
    )
    if trace:
        rows += [trace.half_life, trace.mix]
    if latch:
        rows += [latch.calcium.window, latch.high, latch.low, latch.potentiation, latch.depression]
        rows += [latch.steepness, latch.contrast, latch.constants().flatten()]
    if growth:
        rows += [growth.gain, growth.short, growth.long]
    return kind(
        torch.cat(rows).view(-1, memory.heads).numpy(),
        _array(demand.write) if demand else NOTHING,
        _array(demand.decay) if demand else NOTHING,
        _array(dual.matrix) if dual else NOTHING[None],
        trace is not None,
        latch is not None,
        growth is not None,
        isinstance(memory.config.write, DeltaRule),
    )


def _array(tensor: Tensor | tuple) -> np.ndarray:
    return tensor.detach().contiguous().numpy() if isinstance(tensor, Tensor) else NOTHING[None]


def _flat(state: Any) -> tuple:
    """matrix, eligibility, calcium, enzymes, bdnf."""
    return state.matrix, state.eligibility, *(state.latch or ((), ())), state.bdnf


def _empty_like(state: Any) -> Any:
    if isinstance(state, Tensor):
        return torch.empty_like(state, memory_format=torch.contiguous_format)
    made = tuple(map(_empty_like, state))
    return type(state)(*made) if hasattr(state, "_fields") else made
