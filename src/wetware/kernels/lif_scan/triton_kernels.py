"""The Triton kernels of ``lif_scan``: one walk along time and one back, without and with recurrent weights.

Imported when they are first used, never by the package itself: only this file needs Triton. ``triton.jit`` looks at
TRITON_INTERPRET when it decorates, so what the variable says at the import stays for the life of the process; the functions of
Triton's own standard library were decorated even earlier, and so none of them is used here.

Tensors are contiguous: [B, T, N] along time, [B, N] for states, [B, T] for ``keep``. ``table`` [7, N] holds what belongs to one
neuron (see the rows below): as numbers of the tensors' own type, and so that another slope needs no other kernel. An argument
that may be absent is None, and then its branch is not compiled.
"""

from __future__ import annotations

import triton
import triton.language as tl
from triton import knobs

from wetware.kernels.gpu import helper

INTERPRETED = knobs.runtime.interpret

# ----------------------------------------------------------------------------------------------------- one neuron, one token


@helper
def _row(table, INDEX: tl.constexpr, size, n, inside):
    """A row of the table: decay, threshold, gain, 1 / width, slope / width, reset_gradient * threshold, bound."""
    return tl.load(table + INDEX * size + n, mask=inside, other=1.0)  # 1: lanes beyond the last neuron divide by it


@helper
def _optional(pointer, at, inside, like):
    """What lies at ``pointer + at``, or zeros of the type of ``like`` where there is no pointer."""
    if pointer is None:
        value = tl.full(like.shape, 0.0, like.dtype)
    else:
        value = tl.load(pointer + at, mask=inside, other=0.0)
    return value


@helper
def _tanh(x):
    """``tanh(x) = -m / (2 + m)`` with ``m = exp(-2|x|) - 1`` in [-1, 0], and the sign of ``x``.

    The exponent is never positive, so nothing overflows; beyond 20 the result is 1 in any precision, and NaN stays NaN. For
    small ``x`` the 1 cancels: ``u = exp(y)``, y = -2|x|, is rounded, so ``u - 1`` belongs to another exponent, log(u); times
    ``y / log(u)`` it belongs to ``y`` again (Kahan).
    """
    magnitude = tl.abs(x)
    exponent = -2.0 * tl.where(magnitude > 20.0, 20.0, magnitude)
    u = tl.exp(exponent)
    nothing = u == 1.0
    m = tl.where(nothing, exponent, (u - 1.0) * exponent / tl.log(tl.where(nothing, 0.5, u)))
    y = tl.where(magnitude > 20.0, 1.0, -m / (2.0 + m))
    return tl.where(x < 0.0, -y, y)


@helper
def _fire(pre, threshold):
    """``s = 1[pre >= threshold]``."""
    return (pre >= threshold).to(pre.dtype)


@helper
def _reset(pre, threshold, bound, BOUNDED: tl.constexpr):
    """``v = soft_clamp(pre - threshold * s)``: the membrane that the next token finds."""
    after = pre - threshold * _fire(pre, threshold)
    if BOUNDED:
        after = bound * _tanh(after / bound)
    return after


@helper
def _back(pre, to_membrane, to_spikes, to_pre, table, size, n, inside, BOUNDED: tl.constexpr):
    """One token backwards: from dL/dv, dL/ds and the direct dL/dpre to the whole ``p = dL/dpre`` and a part of dL/dthreshold.

    With c = dL/dv before the clamp and g the surrogate over width: ``e = dL/ds - reset_gradient * threshold * c``,
    ``p = dL/dpre + c + e g`` and ``dL/dthreshold = -(e g + s c)``.
    """
    threshold = _row(table, 1, size, n, inside)
    spikes = _fire(pre, threshold)
    c = to_membrane
    if BOUNDED:
        bound = _row(table, 6, size, n, inside)
        clamped = _tanh((pre - threshold * spikes) / bound)
        c = c * (1.0 - clamped * clamped)
    e = to_spikes - _row(table, 5, size, n, inside) * c
    fall = 1.0 + _row(table, 4, size, n, inside) * tl.abs(pre - threshold)
    through = e * _row(table, 3, size, n, inside) / (fall * fall)
    return to_pre + c + through, -(through + spikes * c)


# ---------------------------------------------------------------------------------------------------------- without recurrence
# No neuron hears another: a program walks all time for one sequence and one block of neurons, its state in registers.


@triton.jit
def forward_apart(
    current,
    membrane,
    keep,
    table,
    spikes,
    pre,
    last_membrane,
    steps,
    size,
    BOUNDED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Writes spikes and pre [B, T, N] and last_membrane [B, N]. Grid: (B, blocks of N)."""
    row = tl.program_id(0).to(tl.int64)
    n = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = n < size
    decay = _row(table, 0, size, n, inside)
    threshold = _row(table, 1, size, n, inside)
    gain = _row(table, 2, size, n, inside)
    bound = _row(table, 6, size, n, inside)
    v = tl.load(membrane + row * size + n, mask=inside, other=0.0)
    for t in range(steps):
        at = (row * steps + t) * size + n
        if keep is not None:
            v = v * tl.load(keep + row * steps + t)
        x = decay * v + gain * tl.load(current + at, mask=inside, other=0.0)
        tl.store(pre + at, x, mask=inside)
        tl.store(spikes + at, _fire(x, threshold), mask=inside)
        v = _reset(x, threshold, bound, BOUNDED)
    tl.store(last_membrane + row * size + n, v, mask=inside)


@triton.jit
def backward_apart(
    pre,
    current,
    membrane,
    keep,
    table,
    d_spikes,
    d_pre,
    d_membrane,
    d_last,
    d_current,
    d_before,
    sums,
    batch,
    steps,
    size,
    BOUNDED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Writes d_current [B, T, N], d_before [B, N] (to the first membrane) and sums [3, B, N] (see ``_add``). Grid as above."""
    row = tl.program_id(0).to(tl.int64)
    n = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = n < size
    state = row * size + n
    decay = _row(table, 0, size, n, inside)
    threshold = _row(table, 1, size, n, inside)
    gain = _row(table, 2, size, n, inside)
    bound = _row(table, 6, size, n, inside)
    first = tl.load(membrane + state, mask=inside, other=0.0)
    to_membrane = _optional(d_membrane, state, inside, first)
    late_spikes = _optional(
        d_last, state, inside, first
    )  # the last spikes are an output twice: of their token, as a state
    to_decay = tl.full(first.shape, 0.0, first.dtype)
    to_threshold = tl.full(first.shape, 0.0, first.dtype)
    to_gain = tl.full(first.shape, 0.0, first.dtype)
    x = tl.load(pre + (row * steps + steps - 1) * size + n, mask=inside, other=0.0)
    for back in range(steps):
        t = steps - 1 - back
        at = (row * steps + t) * size + n
        to_spikes = _optional(d_spikes, at, inside, first) + late_spikes
        late_spikes = tl.full(first.shape, 0.0, first.dtype)
        to_pre = _optional(d_pre, at, inside, first)
        p, share = _back(x, to_membrane, to_spikes, to_pre, table, size, n, inside, BOUNDED)
        # the token before: the membrane it left is what `decay` was multiplied with here
        x = tl.load(pre + tl.where(t > 0, at - size, at), mask=inside, other=0.0)
        v = tl.where(t > 0, _reset(x, threshold, bound, BOUNDED), first)
        to_membrane = decay * p
        if keep is not None:
            kept = tl.load(keep + row * steps + t)
            v = v * kept
            to_membrane = to_membrane * kept
        to_decay += p * v
        to_threshold += share
        to_gain += p * tl.load(current + at, mask=inside, other=0.0)
        tl.store(d_current + at, gain * p, mask=inside)
    tl.store(d_before + state, to_membrane, mask=inside)
    tl.store(sums + state, to_decay, mask=inside)
    tl.store(sums + batch * size + state, to_threshold, mask=inside)
    tl.store(sums + 2 * batch * size + state, to_gain, mask=inside)


# ------------------------------------------------------------------------------------------------------------- with recurrence
# What one token needs, all neurons of the token before have written. Two ways to be sure of that, one kernel: a program takes
# all blocks of its rows and walks time itself, with a barrier after each token; or each block has its own program, and each
# token its own launch. `begin` and `end` are the tokens of this launch; state that passes between tokens lies in global memory.


@helper
def _product(
    source, here, weights, k_stride, n_stride, n, size, ROWS: tl.constexpr, BLOCK: tl.constexpr, INNER: tl.constexpr
):
    """``source @ weights`` for the columns ``n`` [1, BLOCK]; ``source`` [ROWS, 1] points to the beginnings of its rows."""
    total = tl.full([ROWS, BLOCK], 0.0, weights.dtype.element_ty)
    for start in range(0, size, INNER):
        k = start + tl.arange(0, INNER)
        across, down = k[None, :], k[:, None]
        left = tl.load(source + across, mask=here & (across < size), other=0.0)
        right = tl.load(weights + down * k_stride + n * n_stride, mask=(down < size) & (n < size), other=0.0)
        total = tl.dot(left, right, total, input_precision="ieee", out_dtype=weights.dtype.element_ty)
    return total


@triton.jit(do_not_specialize=["begin", "end"])
def forward_together(
    current,
    last,
    membrane,
    keep,
    recurrent,
    table,
    spikes,
    pre,
    batch,
    steps,
    size,
    begin,
    end,
    BOUNDED: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    INNER: tl.constexpr,
):
    """Writes spikes and pre [B, T, N]; membrane [B, N] is the state, replaced at each token.

    Grid: (blocks of B, blocks of N or 1).
    """
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)[:, None]
    here = row < batch
    for t in range(begin, end):
        for block in range(tl.program_id(1), (size + BLOCK - 1) // BLOCK, tl.num_programs(1)):
            n = (block * BLOCK + tl.arange(0, BLOCK))[None, :]
            inside = here & (n < size)
            at = (row * steps + t) * size + n
            if t == 0:
                heard = _product(last + row * size, here, recurrent, size, 1, n, size, ROWS, BLOCK, INNER)
            else:
                before = spikes + (row * steps + t - 1) * size
                heard = _product(before, here, recurrent, size, 1, n, size, ROWS, BLOCK, INNER)
            v = tl.load(membrane + row * size + n, mask=inside, other=0.0)
            if keep is not None:
                kept = tl.load(keep + row * steps + t, mask=here, other=0.0)
                v = v * kept
                heard = heard * kept
            decay = _row(table, 0, size, n, n < size)
            threshold = _row(table, 1, size, n, n < size)
            gain = _row(table, 2, size, n, n < size)
            bound = _row(table, 6, size, n, n < size)
            x = decay * v + gain * tl.load(current + at, mask=inside, other=0.0) + heard
            tl.store(pre + at, x, mask=inside)
            tl.store(spikes + at, _fire(x, threshold), mask=inside)
            tl.store(membrane + row * size + n, _reset(x, threshold, bound, BOUNDED), mask=inside)
        tl.debug_barrier()


@helper
def _add(sums, at, value, inside):
    """``sums[at] += value``: each place belongs to one program, so the order of the sum is always the same."""
    tl.store(sums + at, tl.load(sums + at, mask=inside, other=0.0) + value, mask=inside)


@triton.jit(do_not_specialize=["begin", "end"])
def backward_together(
    pre,
    current,
    membrane,
    keep,
    recurrent,
    table,
    d_spikes,
    d_pre,
    d_last,
    d_membrane,
    p,
    sums,
    batch,
    steps,
    size,
    begin,
    end,
    BOUNDED: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    INNER: tl.constexpr,
):
    """Writes p = dL/dpre [B, T, N]; d_membrane [B, N] goes in as dL/d(last membrane) and comes out as dL/d(first membrane).

    sums [3, B, N] grows by each sequence's gradients to decay, threshold and gain. ``begin`` and ``end`` count from the last
    token. Grid as above.
    """
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)[:, None]
    here = row < batch
    for back in range(begin, end):
        t = steps - 1 - back
        for block in range(tl.program_id(1), (size + BLOCK - 1) // BLOCK, tl.num_programs(1)):
            n = (block * BLOCK + tl.arange(0, BLOCK))[None, :]
            inside = here & (n < size)
            at = (row * steps + t) * size + n
            state = row * size + n
            x = tl.load(pre + at, mask=inside, other=0.0)
            if back == 0:
                to_spikes = _optional(d_last, state, inside, x)
            else:
                after = p + (row * steps + t + 1) * size
                to_spikes = _product(after, here, recurrent, 1, size, n, size, ROWS, BLOCK, INNER)
                if keep is not None:
                    to_spikes = to_spikes * tl.load(keep + row * steps + t + 1, mask=here, other=0.0)
            to_spikes += _optional(d_spikes, at, inside, x)
            to_pre = _optional(d_pre, at, inside, x)
            to_membrane = tl.load(d_membrane + state, mask=inside, other=0.0)
            whole, share = _back(x, to_membrane, to_spikes, to_pre, table, size, n, n < size, BOUNDED)
            # the token before: the membrane it left is what `decay` was multiplied with here
            x = tl.load(pre + tl.where(t > 0, at - size, at), mask=inside, other=0.0)
            threshold = _row(table, 1, size, n, n < size)
            bound = _row(table, 6, size, n, n < size)
            first = tl.load(membrane + state, mask=inside, other=0.0)
            v = tl.where(t > 0, _reset(x, threshold, bound, BOUNDED), first)
            to_membrane = _row(table, 0, size, n, n < size) * whole
            if keep is not None:
                kept = tl.load(keep + row * steps + t, mask=here, other=0.0)
                v = v * kept
                to_membrane = to_membrane * kept
            tl.store(p + at, whole, mask=inside)
            tl.store(d_membrane + state, to_membrane, mask=inside)
            _add(sums, state, whole * v, inside)
            _add(sums, batch * size + state, share, inside)
            _add(sums, 2 * batch * size + state, whole * tl.load(current + at, mask=inside, other=0.0), inside)
        tl.debug_barrier()
