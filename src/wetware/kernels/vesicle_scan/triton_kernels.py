"""The Triton kernels of ``vesicle_scan``: one walk over the queries and one back. Imported when they are first used, as those
of ``lif_scan`` are, and for the same reasons nothing of Triton's own standard library is used.

No key hears another: a lane is one key of one head of one sequence, numbered in the order [B, H, K], and a program walks its
lanes over the queries, their state in registers. The queries that ask one key follow each other: from the key's own, or the
first of the chunk, up to ``reach`` [B, K]. The ring lies in memory, as its slot is a number of the walk; a barrier after each
query keeps its reads and writes in order. All is computed in the type of the kinetics; scores may be of a shorter one.

Tensors are contiguous: scores [B, H, Q, K], ``state`` [B, H, 7 + delay, K - Q], those like it of all K keys, kinetics [19, H].
``spans`` [programs, 2] is the first query that asks any lane of a program, and the one after the last. Queries are walked
``span`` at a time. An argument that may be absent is None, and then its branch is not compiled.
"""

from __future__ import annotations

import triton
import triton.language as tl
from triton import knobs

from wetware.kernels.gpu import helper

INTERPRETED = knobs.runtime.interpret
ROWS = tl.constexpr(7)  # of the state before the ring
NOTES = tl.constexpr(8)  # what backward writes down of a query: the state it met, and what came back into reserve
NUMBERS = ("total", "heads", "queries", "keys", "delay", "time", "span")

# ----------------------------------------------------------------------------------------------------------------------- lanes


@helper
def _lanes(reach, total, heads, queries, keys, BLOCK: tl.constexpr):
    """Of each lane: whether it is one, its (sequence, head), head and key, and the queries that ask it, from and up to."""
    lane = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = lane < total
    row = lane // keys
    key = lane - row * keys
    batch = row // heads
    stop = tl.load(reach + batch * keys + key, mask=inside, other=0)
    return inside, row, row - batch * heads, key, key - (keys - queries), stop


@helper
def _rate(kinetics, INDEX: tl.constexpr, heads, head, inside):
    return tl.load(kinetics + INDEX * heads + head, mask=inside, other=1.0)  # 1: lanes beyond the last divide by it


@helper
def _rates(kinetics, heads, head, inside):
    """The kinetics of each lane, with k1, k2 and k3 squared."""
    k1 = _rate(kinetics, 4, heads, head, inside)
    k2 = _rate(kinetics, 5, heads, head, inside)
    k3 = _rate(kinetics, 6, heads, head, inside)
    return (
        _rate(kinetics, 0, heads, head, inside), _rate(kinetics, 1, heads, head, inside),
        _rate(kinetics, 2, heads, head, inside), _rate(kinetics, 3, heads, head, inside),
        k1 * k1, k2 * k2, k3 * k3,
        _rate(kinetics, 7, heads, head, inside), _rate(kinetics, 8, heads, head, inside),
        _rate(kinetics, 9, heads, head, inside), _rate(kinetics, 10, heads, head, inside),
        _rate(kinetics, 11, heads, head, inside), _rate(kinetics, 12, heads, head, inside),
        _rate(kinetics, 13, heads, head, inside), _rate(kinetics, 14, heads, head, inside),
        _rate(kinetics, 15, heads, head, inside), _rate(kinetics, 16, heads, head, inside),
        _rate(kinetics, 17, heads, head, inside), _rate(kinetics, 18, heads, head, inside),
    )  # fmt: skip


@helper
def _load(base, step, inside):
    """Seven rows, ``step`` apart: of a state, of what was written down of one, or of its gradients."""
    return (
        tl.load(base, mask=inside, other=0.0),
        tl.load(base + step, mask=inside, other=0.0),
        tl.load(base + 2 * step, mask=inside, other=0.0),
        tl.load(base + 3 * step, mask=inside, other=0.0),
        tl.load(base + 4 * step, mask=inside, other=0.0),
        tl.load(base + 5 * step, mask=inside, other=0.0),
        tl.load(base + 6 * step, mask=inside, other=0.0),
    )


@helper
def _store(base, step, inside, rows):
    c, b, r, p, s, x, e = rows
    tl.store(base, c, mask=inside)
    tl.store(base + step, b, mask=inside)
    tl.store(base + 2 * step, r, mask=inside)
    tl.store(base + 3 * step, p, mask=inside)
    tl.store(base + 4 * step, s, mask=inside)
    tl.store(base + 5 * step, x, mask=inside)
    tl.store(base + 6 * step, e, mask=inside)


@helper
def _where(condition, rows, others):
    c, b, r, p, s, x, e = rows
    c0, b0, r0, p0, s0, x0, e0 = others
    return (
        tl.where(condition, c, c0),
        tl.where(condition, b, b0),
        tl.where(condition, r, r0),
        tl.where(condition, p, p0),
        tl.where(condition, s, s0),
        tl.where(condition, x, x0),
        tl.where(condition, e, e0),
    )


@helper
def _rest(complexin):
    """The state of keys that nobody has asked."""
    zero, one = tl.full(complexin.shape, 0.0, complexin.dtype), tl.full(complexin.shape, 1.0, complexin.dtype)
    return zero, zero, one, 3.0 * one, one, complexin, one


@helper
def _copy_ring(source, source_step, target, target_step, delay, some, inside):
    """The ring of the lanes ``some``, and an empty one for the others ``inside``."""
    for slot in range(delay):
        tl.store(target + slot * target_step, tl.load(source + slot * source_step, mask=some, other=0.0), mask=inside)


# ----------------------------------------------------------------------------------------------------------- one key, one query


@helper
def _sensors(calcium, k1, k2):
    """Synaptotagmin 1 and 7."""
    square = calcium * calcium
    return square * (0.7 / (square + k1) + 0.3 / (square + k2))


@helper
def _influx(d, theta):
    """``sigmoid(d - theta)``; where the exponent is cut it is nothing in any precision, and nothing overflows."""
    exponent = theta - d
    return 1.0 / (1.0 + tl.exp(tl.where(exponent > 80.0, 80.0, exponent)))


@helper
def _release(d, state, rates):
    """Influx, calcium, and what is released."""
    theta, rho, kon, koff, k1, k2, k3, kappa, eta, k, rs, cs, x0, rx, cx, re, ce, lam, eps = rates  # noqa: RUF059
    c, b, r, p, s, x, e = state  # noqa: RUF059
    influx = _influx(d, theta)
    residual = rho * c
    calcium = residual + influx
    own = residual * residual
    hazard = (1.0 - x) * kappa * _sensors(calcium, k1, k2) + eta * (own / (own + k3))
    return influx, calcium, r * (1.0 - tl.exp(-s * hazard))


@helper
def _shift(influx, released, state, rates):
    """What the score gains by: ``lam`` times the logarithm of release over that of a rested synapse. The two releases are
    computed alike, and their quotient could be off by its last place: so that of a rested synapse this is exactly 0."""
    theta, rho, kon, koff, k1, k2, k3, kappa, eta, k, rs, cs, x0, rx, cx, re, ce, lam, eps = rates  # noqa: RUF059
    c, b, r, p, s, x, e = state  # noqa: RUF059
    rested = 1.0 - tl.exp(-((1.0 - x0) * kappa * _sensors(influx, k1, k2)))
    return lam * (tl.log(released * e + eps) - tl.log(rested + eps))


@helper
def _afterwards(calcium, released, back, state, rates):
    """The state after a query; ``back``: vesicles that come back into reserve."""
    theta, rho, kon, koff, k1, k2, k3, kappa, eta, k, rs, cs, x0, rx, cx, re, ce, lam, eps = rates  # noqa: RUF059
    c, b, r, p, s, x, e = state  # noqa: RUF059
    binding = kon * calcium
    flux = (binding * (1.0 - b) - koff * b) / (1.0 + binding + koff)
    left, reserve = r - released, p + back
    primed = k * reserve * (1.0 - left)
    return (
        calcium - flux,
        b + flux,
        left + primed,
        reserve - primed,
        s + rs * (1.0 - s) - cs * released * s,
        x + rx * (x0 - x) - cx * released * x,
        e + re * (1.0 - e) - ce * released * e,
    )


@triton.jit(do_not_specialize=NUMBERS)
def forward(
    reach,
    spans,
    scores,
    state,
    kinetics,
    out,
    left,
    marks,
    total,
    heads,
    queries,
    keys,
    delay,
    time,
    span,
    BLOCK: tl.constexpr,
):
    """Writes ``out`` where a query looks, and ``left`` [B, H, 7 + delay, K]; ``out`` may be absent, and then ``left`` is not
    finished. marks: the same of the state before each ``span`` queries that a program walks, [spans, B, H, 7 + delay, K]."""
    inside, row, head, key, start, stop = _lanes(reach, total, heads, queries, keys, BLOCK)
    rates = _rates(kinetics, heads, head, inside)
    before, rows, known = keys - queries, ROWS + delay, inside & (start < 0)
    fresh = _rest(rates[12])
    given = state + row * rows * before + key
    mine = left + row * rows * keys + key
    ring = mine + ROWS * keys
    now = _where(known, _load(given, before, known), fresh)
    _copy_ring(given + ROWS * before, before, ring, keys, delay, known, inside)
    begin, end = tl.load(spans + 2 * tl.program_id(0)), tl.load(spans + 2 * tl.program_id(0) + 1)
    for part in range(begin // span, (end + span - 1) // span):
        if marks is not None:
            tl.debug_barrier()
            mark = marks + (part * (total // keys) + row) * rows * keys + key
            _store(mark, keys, inside, now)
            _copy_ring(ring, keys, mark + ROWS * keys, keys, delay, inside, inside)
        for i in range(max(begin, part * span), min(end, part * span + span)):
            asked = inside & (i >= start) & (i < stop)
            slot = ring + (time + i) % delay * keys
            at = (row * queries + i) * keys + key
            tl.debug_barrier()
            d = tl.load(scores + at, mask=asked, other=0.0).to(now[0].dtype)
            influx, calcium, released = _release(d, now, rates)
            if out is not None:
                tl.store(out + at, d + _shift(influx, released, now, rates), mask=asked)
            back = tl.load(slot, mask=asked, other=0.0)
            now = _where(asked, _afterwards(calcium, released, back, now, rates), now)
            tl.store(slot, released, mask=asked)
    if out is not None:
        seen = inside & (stop == queries)
        tl.debug_barrier()
        _store(mine, keys, inside, _where(seen, now, fresh))
        _copy_ring(ring, keys, ring, keys, delay, seen, inside)


# ------------------------------------------------------------------------------------------------------------------------ back


@helper
def _retreat(d, state, back, above, ups, up_ring, rates):
    """One query backwards.

    ``above``: the gradient of its output; ``ups``, ``up_ring``: of the state it leaves and of what it puts into the ring. Gives
    the gradients of the score, of the state it met, of what came back from the ring, and of the kinetics (k1 to k3: squared).
    """
    theta, rho, kon, koff, k1, k2, k3, kappa, eta, k, rs, cs, x0, rx, cx, re, ce, lam, eps = rates
    c, b, r, p, s, x, e = state
    up_c, up_b, up_r, up_p, up_s, up_x, up_e = ups
    influx = _influx(d, theta)
    residual = rho * c
    calcium = residual + influx
    # what forward made of them
    square, own = calcium * calcium, residual * residual
    i1, i2, i3 = 1.0 / (square + k1), 1.0 / (square + k2), 1.0 / (own + k3)
    sensor, doc = square * (0.7 * i1 + 0.3 * i2), own * i3
    held = tl.exp(-s * ((1.0 - x) * kappa * sensor + eta * doc))
    released = r * (1.0 - held)
    lone = influx * influx
    j1, j2 = 1.0 / (lone + k1), 1.0 / (lone + k2)
    alone = lone * (0.7 * j1 + 0.3 * j2)
    unheld = tl.exp(-((1.0 - x0) * kappa * alone))
    # output
    upper, lower = released * e + eps, 1.0 - unheld + eps
    top, bottom = above * lam / upper, -above * lam / lower
    to_lam, to_eps = above * (tl.log(upper) - tl.log(lower)), top + bottom
    # the rested synapse
    to_rested = bottom * unheld
    m1, m2 = 0.7 * j1 * j1, 0.3 * j2 * j2
    to_alone = to_rested * (1.0 - x0) * kappa
    to_influx = to_alone * (m1 * k1 + m2 * k2) * 2.0 * influx
    # pools
    reserve, empty, moved = p + back, 1.0 - r + released, up_r - up_p
    to_left = up_r - moved * k * reserve
    to_reserve = up_p + moved * k * empty
    # release
    to_released = top * e + up_ring - to_left - up_s * cs * s - up_x * cx * x - up_e * ce * e
    drive = to_released * r * held
    to_hazard = drive * s
    n1, n2 = 0.7 * i1 * i1, 0.3 * i2 * i2
    to_sensor = to_hazard * (1.0 - x) * kappa
    to_doc = to_hazard * eta * i3 * i3
    # calcium and its buffer
    share = 1.0 / (1.0 + kon * calcium + koff)
    to_flux = (up_b - up_c) * share
    to_share = -to_flux * (kon * calcium * (1.0 - b) - koff * b) * share
    mixed = to_flux * (1.0 - b) + to_share
    to_calcium = up_c + mixed * kon + to_sensor * (n1 * k1 + n2 * k2) * 2.0 * calcium
    to_residual = to_calcium + to_doc * k3 * 2.0 * residual
    to_drive = (to_influx + to_calcium) * influx * (1.0 - influx)
    to_state = (
        to_residual * rho,
        up_b - to_flux * (kon * calcium + koff),
        to_left + to_released * (1.0 - held),
        to_reserve,
        up_s * (1.0 - rs - cs * released) + drive * ((1.0 - x) * kappa * sensor + eta * doc),
        up_x * (1.0 - rx - cx * released) - to_hazard * kappa * sensor,
        up_e * (1.0 - re - ce * released) + top * released,
    )
    to_rates = (
        -to_drive,
        to_residual * c,
        mixed * calcium,
        to_share - to_flux * b,
        -(to_alone * m1 * lone + to_sensor * n1 * square),
        -(to_alone * m2 * lone + to_sensor * n2 * square),
        -to_doc * own,
        to_rested * (1.0 - x0) * alone + to_hazard * (1.0 - x) * sensor,
        to_hazard * doc,
        moved * reserve * empty,
        up_s * (1.0 - s),
        -up_s * released * s,
        up_x * rx - to_rested * kappa * alone,
        up_x * (x0 - x),
        -up_x * released * x,
        up_e * (1.0 - e),
        -up_e * released * e,
        to_lam,
        to_eps,
    )
    return above + to_drive, to_state, to_reserve, to_rates


@helper
def _plus(sums, more):
    s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15, s16, s17, s18 = sums
    m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18 = more
    return (
        s0 + m0, s1 + m1, s2 + m2, s3 + m3, s4 + m4, s5 + m5, s6 + m6, s7 + m7, s8 + m8, s9 + m9, s10 + m10, s11 + m11,
        s12 + m12, s13 + m13, s14 + m14, s15 + m15, s16 + m16, s17 + m17, s18 + m18,
    )  # fmt: skip


@triton.jit(do_not_specialize=NUMBERS)
def backward(
    reach,
    spans,
    scores,
    kinetics,
    marks,
    notes,
    to_out,
    to_left,
    to_state,
    to_scores,
    sums,
    total,
    heads,
    queries,
    keys,
    delay,
    time,
    span,
    BLOCK: tl.constexpr,
):
    """Writes to_scores where a query looks, to_state [B, H, 7 + delay, K], of no meaning for keys of the chunk, and sums
    [19, B, H, K], to the kinetics (k1 to k3: squared). From the last ``span`` queries to the first: they are walked again from
    their mark, whose ring is used up, each written down in notes [B, H, span, 8, K]; then they are walked back.
    """
    inside, row, head, key, start, stop = _lanes(reach, total, heads, queries, keys, BLOCK)
    rates = _rates(kinetics, heads, head, inside)
    rows, seen = ROWS + delay, inside & (stop == queries)
    zero = tl.full(rates[0].shape, 0.0, rates[0].dtype)
    nothing = (zero, zero, zero, zero, zero, zero, zero)
    mine = to_state + row * rows * keys + key
    ring = mine + ROWS * keys
    ups, to_complexin = nothing, zero
    if to_left is None:
        for slot in range(delay):
            tl.store(ring + slot * keys, zero, mask=inside)
    else:
        last = to_left + row * rows * keys + key
        ups = _load(last, keys, seen)
        # what nobody sees was put to rest, which is the same always but for complexin
        to_complexin = tl.load(last + 5 * keys, mask=inside & (stop < queries), other=0.0)
        _copy_ring(last + ROWS * keys, keys, ring, keys, delay, seen, inside)
    totals = (
        zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero
    )  # fmt: skip
    begin, end = tl.load(spans + 2 * tl.program_id(0)), tl.load(spans + 2 * tl.program_id(0) + 1)
    parts = (end + span - 1) // span
    for done in range(parts - begin // span):
        part = parts - 1 - done
        low, high = max(begin, part * span), min(end, part * span + span)
        mark = marks + (part * (total // keys) + row) * rows * keys + key
        now = _load(mark, keys, inside)
        for i in range(low, high):
            asked = inside & (i >= start) & (i < stop)
            slot = mark + (ROWS + (time + i) % delay) * keys
            note = notes + (row * span + i - part * span) * NOTES * keys + key
            tl.debug_barrier()
            d = tl.load(scores + (row * queries + i) * keys + key, mask=asked, other=0.0).to(zero.dtype)
            back = tl.load(slot, mask=asked, other=0.0)
            _store(note, keys, inside, now)
            tl.store(note + ROWS * keys, back, mask=inside)
            _, calcium, released = _release(d, now, rates)
            now = _where(asked, _afterwards(calcium, released, back, now, rates), now)
            tl.store(slot, released, mask=asked)
        for gone in range(high - low):
            i = high - 1 - gone
            asked = inside & (i >= start) & (i < stop)
            slot = ring + (time + i) % delay * keys
            note = notes + (row * span + i - part * span) * NOTES * keys + key
            at = (row * queries + i) * keys + key
            tl.debug_barrier()
            d = tl.load(scores + at, mask=asked, other=0.0).to(zero.dtype)
            above = zero
            if to_out is not None:
                above = tl.load(to_out + at, mask=asked, other=0.0)
            up_ring = tl.load(slot, mask=asked, other=0.0)
            met, back = _load(note, keys, inside), tl.load(note + ROWS * keys, mask=inside, other=0.0)
            # lanes that are not asked add nothing: all their gradients are 0, before birth and once nobody looks any more
            to_d, ups, to_back, more = _retreat(d, met, back, above, ups, up_ring, rates)
            totals = _plus(totals, more)
            tl.store(to_scores + at, to_d, mask=asked)
            tl.store(slot, to_back, mask=asked)
            # before its first query a key was at rest: its gradients end here, but for complexin's
            born = i == start
            to_complexin += tl.where(born, ups[5], 0.0)
            ups = _where(born, nothing, ups)
    _store(mine, keys, inside, ups)
    base = sums + row * keys + key
    for index in tl.static_range(19):
        tl.store(base + index * total, totals[index] + (to_complexin if index == 12 else 0.0), mask=inside)
