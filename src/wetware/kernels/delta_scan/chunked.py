"""``delta_scan`` in chunks: products of matrices within a chunk of tokens, the recurrence between chunks.

Within a chunk that starts at A_0, ``A_i = G_i A_0 + sum_{j<=i} (G_i / G_j) k_j u_j^T``, G_i the product of the decays g so far.
What token i really writes, u_i, depends on what those before it wrote, through a triangular system::

    u_i + erase_i g_i sum_{j<i} S_ij (k_i . k_j) u_j = write_i v_i - erase_i G_i A_0^T k_i,     S_ij = G_{i-1} / G_j
    y_i = G_{i-1} A_0^T q_i + sum_{j<i} S_ij (q_i . k_j) u_j

Its inverse does not depend on A_0 and is made for all chunks at once; three products of matrices walk along the chunks. Yang et
al., 2024 (arXiv 2406.06484, 2412.06464); here erase and write may differ and a document may end anywhere. No number is divided
by a product of decays: every pair of tokens gets the exponential of a difference of logarithms, masked before it is taken, to a
relative error of float32 times the sum of logarithms in a chunk.

The backward is written out: with autograd's, both ways took half again as long (B8 T256 H4 D64, one thread).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

LENGTH = 32
HOW = f"products of matrices over {LENGTH} tokens at a time"


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
    """Why these arguments need the reference, or None."""
    if query.shape[1] == 1:
        return "of one token, the recurrence is all there is"
    if query.dtype not in (torch.float32, torch.float64):
        return f"needs float32 or float64 for its triangular system, got {query.dtype}"
    return None


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
    return _Chunked.apply(query, key, value, state, decay, erase, write, keep)


class _Shape(NamedTuple):
    batch: int
    steps: int
    heads: int
    count: int  # of chunks

    def chunks(self, x: Tensor) -> Tensor:
        """[B, T, H, ...] to a view [count, B, H, LENGTH, ...] (a copy where T is no multiple), zeros at the end."""
        short = self.count * LENGTH - self.steps
        if short:
            x = functional.pad(x, (0, 0) * (x.ndim - 2) + (0, short))
        return x.unflatten(1, (self.count, LENGTH)).movedim((1, 3), (0, 2))

    def laid(self, x: Tensor) -> Tensor:
        """[B, T, H, ...] to [count, B * H, LENGTH, ...], laid out like that."""
        return self.chunks(x).reshape(self.count, self.batch * self.heads, LENGTH, *x.shape[3:])

    def back(self, x: Tensor) -> Tensor:
        """The inverse of ``laid``."""
        x = x.unflatten(1, (self.batch, self.heads)).movedim((0, 2), (1, 3))
        return x.flatten(1, 2)[:, : self.steps]


class _Decays(NamedTuple):
    """Of [count, B * H, LENGTH]: met, G_{i-1}; erased, erase_i g_i; last, G_last / G_i; whole [count, B * H, 1, 1], G_last;
    all of it 0 across the start of a document. ratio: S [..., LENGTH, LENGTH]."""

    met: Tensor
    erased: Tensor
    last: Tensor
    whole: Tensor
    ratio: Tensor


def _decays(shape: _Shape, decay: Tensor, erase: Tensor, keep: Tensor | None) -> _Decays:
    sums = decay.cumsum(-1)  # log G_i
    before = sums - decay
    last, whole = sums[..., -1:] - sums, sums[..., -1:]
    earlier = torch.ones(LENGTH, LENGTH, dtype=torch.bool, device=decay.device).tril_(-1)
    ratio = before[..., None] - sums[..., None, :]
    if keep is None:
        ratio.masked_fill_(~earlier, -torch.inf)
    else:
        starts = (keep == 0)[..., None].expand(-1, -1, shape.heads).to(decay.dtype)
        document = shape.laid(starts).cumsum(-1)  # of each token, counted in its chunk from the one that A_0 belongs to
        ratio.masked_fill_(~(earlier & (document[..., None] == document[..., None, :])), -torch.inf)
        before = before.masked_fill(document > 0, -torch.inf)
        last.masked_fill_(document != document[..., -1:], -torch.inf)
        whole = whole.masked_fill(document[..., -1:] > 0, -torch.inf)
    return _Decays(before.exp(), erase * decay.exp(), last.exp_(), whole.exp()[..., None], ratio.exp_())


def _in_own_types(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Without autocast: who runs backward inside of it (a reversible stack does) would get products in another type."""

    @functools.wraps(backward)
    def run(ctx: Any, *gradients: Tensor) -> Any:
        with torch.autocast(gradients[0].device.type, enabled=False):
            return backward(ctx, *gradients)

    return run


class _Chunked(torch.autograd.Function):
    """Queries and keys of a chunk stand over each other in ``pair`` [count, B * H, 2 LENGTH, K], so that what meets both is one
    product."""

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
        keep: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        batch, steps, heads, size = query.shape
        shape = _Shape(batch, steps, heads, -(-steps // LENGTH))
        pair = query.new_empty(shape.count, batch, heads, 2 * LENGTH, size)
        pair[..., :LENGTH, :], pair[..., LENGTH:, :] = shape.chunks(query), shape.chunks(key)
        pair = pair.flatten(1, 2)
        value, decay, erase, write = (shape.laid(x) for x in (value, decay, erase, write))
        decays = _decays(shape, decay, erase, keep)
        keys = pair[:, :, LENGTH:]
        products = pair @ keys.mT  # q . k over k . k
        seen = decays.ratio * products[:, :, :LENGTH]
        system = (decays.ratio * products[:, :, LENGTH:]).mul_(decays.erased[..., None])
        inverse = torch.linalg.solve_triangular(
            system,
            torch.eye(LENGTH, dtype=system.dtype, device=system.device).expand_as(system),
            upper=False,
            unitriangular=True,
        )
        wrote, found = torch.empty_like(value), pair.new_empty(*pair.shape[:-1], value.shape[-1])
        states = pair.new_empty(shape.count + 1, *state.flatten(0, 1).shape)
        states[0] = state.flatten(0, 1)
        factor, written = (decays.erased * decays.met)[..., None], write[..., None] * value
        lasting = decays.last[..., None] * keys
        for n in range(shape.count):
            torch.bmm(pair[n], states[n], out=found[n])
            torch.bmm(inverse[n], written[n].addcmul_(factor[n], found[n, :, LENGTH:], value=-1.0), out=wrote[n])
            torch.mul(decays.whole[n], states[n], out=states[n + 1]).baddbmm_(lasting[n].mT, wrote[n])
        out = torch.matmul(seen, wrote).addcmul_(decays.met[..., None], found[:, :, :LENGTH])
        ctx.save_for_backward(pair, lasting, value, write, decay, products, inverse, wrote, found, states, *decays)
        ctx.shape = shape
        return shape.back(out), states[-1].unflatten(0, (batch, heads)).clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    @_in_own_types
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        shape: _Shape = ctx.shape
        pair, lasting, value, write, decay, products, inverse, wrote, found, states, *rest = ctx.saved_tensors
        decays = _Decays(*rest)
        keys = pair[:, :, LENGTH:]
        above = pair.new_empty(*found.shape)  # the gradient of y over that of the right side of the system
        above[:, :, :LENGTH] = shape.laid(gradients[0])
        scale = torch.cat([decays.met, -decays.erased * decays.met], -1)[..., None]
        through = torch.matmul((decays.ratio * products[:, :, :LENGTH]).mT, above[:, :, :LENGTH])  # to what was written
        to_pair, to_lasting, to_whole = (
            torch.empty_like(pair),
            torch.empty_like(lasting),
            torch.empty_like(decays.whole),
        )
        carried, moved = gradients[1].flatten(0, 1).clone(), torch.empty_like(above[0])
        for n in reversed(range(shape.count)):
            torch.bmm(states[n].flatten(1)[:, None], carried.flatten(1)[..., None], out=to_whole[n])
            torch.bmm(wrote[n], carried.mT, out=to_lasting[n])
            above[n, :, LENGTH:] = inverse[n].mT @ through[n].baddbmm_(lasting[n], carried)
            torch.mul(scale[n], above[n], out=moved)
            torch.bmm(moved, states[n].mT, out=to_pair[n])
            carried.mul_(decays.whole[n]).baddbmm_(pair[n].mT, moved)
        to_last = (keys * to_lasting).sum(-1)
        to_keys = to_lasting.mul_(decays.last[..., None])
        to_right = above[:, :, LENGTH:]
        to_write, to_value = (value * to_right).sum(-1), write[..., None] * to_right
        dots = found.mul(above).sum(-1)
        to_met, to_factor = dots[..., :LENGTH], -dots[..., LENGTH:]
        inner = above @ wrote.mT  # the gradient of ``seen`` over minus that of ``system``
        inner[:, :, LENGTH:].mul_(-1.0)
        weighted = inner.unflatten(2, (2, LENGTH)).mul_(decays.ratio[:, :, None]).flatten(2, 3)
        logs = weighted * products  # by log S where multiplied with ``erased``
        to_erased = logs[:, :, LENGTH:].sum(-1) + to_factor * decays.met
        logs = logs[:, :, :LENGTH].addcmul_(decays.erased[..., None], logs[:, :, LENGTH:])
        weighted[:, :, LENGTH:].mul_(decays.erased[..., None])
        to_pair.flatten(0, 1).baddbmm_(weighted.flatten(0, 1), keys.flatten(0, 1))
        to_keys.flatten(0, 1).baddbmm_(weighted.flatten(0, 1).mT, pair.flatten(0, 1))
        to_pair[:, :, LENGTH:] += to_keys
        to_before = logs.sum(-1) + (to_met + to_factor * decays.erased) * decays.met
        to_left = to_last * decays.last
        to_sums = to_before - logs.sum(-2) - to_left
        to_sums[..., -1] += to_left.sum(-1) + (to_whole * decays.whole).flatten(2).squeeze(-1)
        to_decay = to_sums.flip(-1).cumsum(-1).flip(-1) - to_before + to_erased * decays.erased
        to_query, to_key = to_pair[:, :, :LENGTH], to_pair[:, :, LENGTH:]
        made = [shape.back(x) for x in (to_query, to_key, to_value)]
        to_state = carried.unflatten(0, (shape.batch, shape.heads))
        scalars = (shape.back(x) for x in (to_decay, to_erased * decay.exp(), to_write))
        return *made, to_state, *scalars, None
