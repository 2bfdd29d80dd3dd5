"""``delta_scan`` compiled by numba: token by token, with A in the cache. Kept for backward: what was read and written.

Backward goes twice over the tokens and keeps no A of any of them: back, with the gradient of A, for all that needs it; and on,
with A made anew, for what meets A itself. Their inner product, which the gradient of the decay is, follows from numbers of
each token::

    <dA_t, A_t> = <dA_t, g_t A_{t-1}> + du_t . u_t
    <dA_{t-1}, A_{t-1}> = <dA_t, g_t A_{t-1}> - erase_t g_t du_t . A_{t-1}^T k_t + dy_t . y_t
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.kernels.compiled.fit import misshapen, unfit


def refuses(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    state: Tensor,
    decay: Tensor,
    erase: Tensor,
    write: Tensor,
    keep: Tensor | None = None,
) -> str | None:
    """Why these arguments need another way, or None. Shapes are looked at here, as the loops have no bounds checks."""
    given = {"query": query, "key": key, "value": value, "state": state, "decay": decay, "erase": erase, "write": write}
    if reason := unfit(given | {"keep": keep}, torch.float32, torch.float64):
        return reason
    if query.ndim != 4 or value.ndim != 4 or not query.numel() or not value.numel() or query.shape[1] == 1:
        return f"needs a query of [B, T, H, K], none of them 0 and more than one token, got {list(query.shape)}"
    batch, steps, heads, size = query.shape
    shapes = {name: [batch, steps, heads] for name in ("decay", "erase", "write")}
    shapes |= {"key": [*query.shape], "value": [batch, steps, heads, value.shape[3]]}
    shapes |= {"state": [batch, heads, size, value.shape[3]], "keep": [batch, steps]}
    return misshapen(given | {"keep": keep}, shapes)


def run(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    state: Tensor,
    decay: Tensor,
    erase: Tensor,
    write: Tensor,
    keep: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Same signature and meaning as the reference."""
    kept = query.new_ones(query.shape[:2]) if keep is None else keep
    return _Compiled.apply(query, key, value, state, decay, erase, write, kept)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        state: Tensor,
        decay: Tensor,
        erase: Tensor,
        write: Tensor,
        keep: Tensor,
    ) -> tuple[Tensor, Tensor]:
        from wetware.kernels.compiled import threads
        from wetware.kernels.delta_scan import compiled_loops as loops

        given = [x.detach().contiguous() for x in (query, key, value, state, decay.exp(), erase, write, keep)]
        out, written = torch.empty_like(given[2]), torch.empty_like(given[2])
        last = torch.empty_like(given[3])
        arrays = [x.numpy() for x in (*given, out, written, last)]
        parts = threads.shares(len(query) * query.shape[2])
        threads.run(lambda first, stop: loops.walk_forward(*arrays, first, stop), parts)
        ctx.save_for_backward(*given, out, written, last)
        return out, last

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        from wetware.kernels.compiled import threads
        from wetware.kernels.delta_scan import compiled_loops as loops

        given = ctx.saved_tensors
        query, key, value, state, share, erase, write, keep, out, written, last = (x.numpy() for x in given)
        above, above_last = map(_array, gradients)
        made = [torch.empty_like(x) for x in given[:7]]
        to_query, to_key, to_value, to_state, to_decay, to_erase, to_write = (x.numpy() for x in made)
        to_written = np.empty_like(written)

        def walk(first: int, stop: int) -> None:
            loops.walk_back(
                query, key, value, share, erase, write, keep, written, above, above_last,
                to_written, to_key, to_value, to_state, to_write, first, stop,
            )  # fmt: skip
            loops.walk_again(
                key, state, share, erase, keep, written, above, to_written, to_query, to_key, to_erase, first, stop
            )
            loops.weigh(erase, keep, out, written, last, above, above_last, to_written, to_decay, to_erase, first, stop)

        threads.run(walk, threads.shares(len(query) * query.shape[2]))
        return *made, None
