"""The loops of the compiled backend of ``vesicle_scan``, forward.

Keys do not hear each other, so a block of keys walks over all its queries while its state stays in the nearest cache. The state
of :data:`LANES` keys, a group, is a stretch of one flat array: row after row, at distances known when this is compiled. Only so
does LLVM see that rows do not overlap and compute all keys of a group at once; indices are unsigned, as a negative one would
have to be looked for. What lies elsewhere (scores, the slot of the ring whose turn it is) is copied in and out.
"""

from __future__ import annotations

import numpy as np

from wetware.kernels.compiled import maths
from wetware.kernels.compiled.jit import inlined, jit
from wetware.kernels.vesicle_scan.compiled_draws import draw
from wetware.kernels.vesicle_scan.compiled_rows import (
    CE,
    CS,
    CX,
    EPS,
    ETA,
    IN,
    K1,
    K2,
    K3,
    KAPPA,
    KOFF,
    KON,
    LAM,
    LANES,
    MIXED,
    MOST,
    ONE,
    OUT,
    PRIMING,
    RE,
    RESERVE,
    RHO,
    RING,
    RS,
    RX,
    SYT1,
    SYT7,
    THETA,
    WIDTH,
    X0,
    B,
    C,
    D,
    E,
    P,
    R,
    S,
    U,
    X,
)  # fmt: skip

# 1 - exp(-x) = x - x^2 / 2 + x^3 / 6 - x^4 / 24 for x < NEAR, as there 1 - exp(-x) would keep few digits
NEAR, HALF, SIXTH, QUARTER_OF_SIXTH = np.float32(0.05), np.float32(1 / 2), np.float32(1 / 6), np.float32(1 / 24)


@inlined
def constants(row):
    """A row of the table as a tuple, to be kept in registers."""
    return (
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9], row[10], row[11], row[12], row[13],
        row[14], row[15], row[16], row[17], row[18], row[19],
    )  # fmt: skip


@inlined
def sensors(k, calcium):
    """Synaptotagmin 1 and 7 over one denominator: of a rested key exactly what it is of this query's influx alone."""
    square = calcium * calcium
    return square * (square + k[MIXED]) / ((square + k[K1]) * (square + k[K2]))


@inlined
def opening(k, d, c, s, x):
    """Influx, calcium, and what a query opens, as an exponent of what is held back."""
    influx = ONE / (ONE + maths.exp_within(min(max(k[THETA] - d, -MOST), MOST)))
    residual = k[RHO] * c
    calcium = residual + influx
    square = residual * residual
    hazard = (ONE - x) * k[KAPPA] * sensors(k, calcium) + k[ETA] * (square / (square + k[K3]))
    return influx, calcium, min(s * hazard, MOST)


@inlined
def let_go(work, at, row, to, width):
    """The share that each lane of the group at ``at`` would release, into row ``to``; exact also where it is small."""
    k = constants(row)
    for n in range(width):
        i = at + n
        _, _, opened = opening(k, work[i + D], work[i + C], work[i + S], work[i + X])
        near = opened * (ONE - opened * (HALF - opened * (SIXTH - opened * QUARTER_OF_SIXTH)))
        work[i + to] = near if opened < NEAR else ONE - maths.exp_within(-opened)


@inlined
def ratio_to_rest(k, influx, released, e):
    """The logarithm of release over that of a rested synapse."""
    rested = ONE - maths.exp_within(-min((ONE - k[X0]) * k[KAPPA] * sensors(k, influx), MOST))
    return maths.log((released * e + k[EPS]) / (rested + k[EPS]))


@inlined
def afterwards(k, calcium, released, b, r, reserve, s, x, e):
    """The seven numbers of the state after a query."""
    binding = k[KON] * calcium
    flux = (binding * (ONE - b) - k[KOFF] * b) / (ONE + binding + k[KOFF])
    left = r - released
    primed = k[PRIMING] * reserve * (ONE - left)
    return (
        calcium - flux,
        b + flux,
        left + primed,
        reserve - primed,
        s + k[RS] * (ONE - s) - k[CS] * released * s,
        x + k[RX] * (k[X0] - x) - k[CX] * released * x,
        e + k[RE] * (ONE - e) - k[CE] * released * e,
    )


@inlined
def advance(work, at, row, drawn, width):
    """One query asks the group at ``at``: its scores lie in row D, the vesicles that come back in IN. The results go to D and
    the release to OUT, where it lies already if it was ``drawn``; else that is None."""
    k = constants(row)
    for n in range(width):
        i = at + n
        d, b, r, s, x, e = work[i + D], work[i + B], work[i + R], work[i + S], work[i + X], work[i + E]
        influx, calcium, opened = opening(k, d, work[i + C], s, x)
        released = r * (ONE - maths.exp_within(-opened)) if drawn is None else work[i + OUT]
        ratio = ratio_to_rest(k, influx, released, e)
        new = afterwards(k, calcium, released, b, r, work[i + P] + work[i + IN], s, x, e)
        work[i + D] = d + k[LAM] * ratio
        work[i + OUT] = released
        work[i + C], work[i + B], work[i + R], work[i + P], work[i + S], work[i + X], work[i + E] = new


@inlined
def copy(source, start, target, to, width):
    """The lanes of one row, from one flat array into another, or to another place in it that does not overlap."""
    for n in range(width):
        target[to + n] = source[start + n]


@inlined
def copy_part(source, start, target, to, low, high):
    """The lanes ``low`` to ``high``."""
    for n in range(low, high):
        target[to + n] = source[start + n]


@inlined
def rest(work, lane, ring, delay, complexin):
    """One key as if nobody had asked it: its state from ``lane`` on, its ring from ``ring`` on."""
    work[lane + C], work[lane + B], work[lane + R], work[lane + P] = 0.0, 0.0, 1.0, RESERVE
    work[lane + S], work[lane + X], work[lane + E] = 1.0, complexin, 1.0
    for slot in range(delay):
        work[ring + slot * WIDTH] = 0.0


@jit
def load(state, at, before, key, work, place, ring, delay, complexin, width):
    """The group whose first key is ``key``: from the state [7 + delay, before], which begins at ``at`` of a flat array, into
    ``place`` and ``ring`` of ``work``. Keys that do not exist yet are at rest."""
    known = min(WIDTH, max(before, key) - key)
    for n in range(known, WIDTH):
        rest(work, place + n, ring + n, delay, complexin)
    for index in range(U(7) + delay):
        source, to = (
            at + index * before + key,
            ring + (index - U(7)) * WIDTH if index >= U(7) else place + index * WIDTH,
        )
        if known == WIDTH:
            copy(state, source, work, to, width)
        else:
            copy_part(state, source, work, to, U(0), known)


@jit
def erase(out, keys, before, low, hidden):
    """``hidden`` in ``out`` [Q, K] where a query does not look."""
    for i in range(out.shape[0]):
        row = out[i]
        row[: min(max(low[i], 0), keys)] = hidden
        row[before + i + 1 :] = hidden


@jit
def tabulate(kinetics):
    """[H, 20]: the table of each head, from the kinetics [19, H]."""
    table = np.empty((kinetics.shape[1], 20), np.float32)
    for head in range(kinetics.shape[1]):
        row = table[head]
        for index in range(19):
            value = kinetics[index, head]
            row[index] = value * value if index in (K1, K2, K3) else value
        row[MIXED] = SYT1 * row[K2] + SYT7 * row[K1]
    return table


@jit
def walk_forward(scores, state, kinetics, first, time, hidden, out, left, drawn, groups, width, begin, end):
    """The heads ``begin`` to ``end`` of all sequences, B * H of them.

    scores, out: [B, H, Q, K]. state: [B, H, 7 + delay, K - Q]. left: [B, H, 7 + delay, K]. kinetics: [19, H]. first: [B, Q].
    drawn: None, or what ``compiled_draws`` takes. groups: how many groups of keys walk together. width: LANES, which LLVM must
    not know, or it writes the loops out.
    """
    heads, queries, keys, rows, table = (
        scores.shape[1],
        scores.shape[2],
        scores.shape[3],
        left.shape[2],
        tabulate(kinetics),
    )
    before, delay = keys - queries, U(rows - 7)
    flat, given, made, lasting = scores.reshape(-1), state.reshape(-1), out.reshape(-1), left.reshape(-1)
    stride = RING + delay * WIDTH
    work = np.zeros(U(groups) * stride, np.float32)
    for h in range(begin, end):
        low, row = first[h // heads], table[h % heads]
        complexin = row[X0]
        erase(out[h // heads, h % heads], keys, before, low, hidden)
        for key in range(0, keys, groups * LANES):
            stop = min(keys, key + groups * LANES)
            for g in range(-(-(stop - key) // LANES)):
                place, at = U(g) * stride, U(h) * U(rows) * U(before)
                load(given, at, U(before), U(key + g * LANES), work, place, place + RING, delay, complexin, width)
            for i in range(max(0, key - before), queries):
                oldest, newest = max(0, low[i]), before + i
                if oldest >= stop:
                    break
                if key <= newest < stop:
                    place = U((newest - key) // LANES) * stride + U((newest - key) % LANES)
                    rest(work, place, place + RING, delay, complexin)
                slot = U((time + i) % int(delay)) * WIDTH
                for g in range(max(0, oldest - key) // LANES, (min(stop - 1, newest) - key) // LANES + 1):
                    here = key + g * LANES
                    place, source = U(g) * stride, U((h * queries + i) * keys + here)
                    lo, hi = U(max(0, oldest - here)), U(min(LANES, newest + 1 - here))
                    whole = lo == U(0) and hi == WIDTH
                    if whole:
                        copy(flat, source, work, place + D, width)
                    else:
                        copy_part(flat, source, work, place + D, lo, hi)
                    ring = place + RING + slot
                    copy(work, ring, work, place + IN, width)
                    if drawn is not None:
                        let_go(work, place, row, OUT, width)
                        draw(work, place, OUT, drawn, h * queries + i, newest - here, None, width)
                    advance(work, place, row, drawn, width)
                    copy(work, place + OUT, work, ring, width)
                    if whole:
                        copy(work, place + D, made, source, width)
                    else:
                        copy_part(work, place + D, made, source, lo, hi)
            for g in range(-(-(stop - key) // LANES)):
                here, place = key + g * LANES, U(g) * stride
                count, unseen = U(min(LANES, stop - here)), U(min(LANES, max(0, low[queries - 1] - here)))
                for n in range(unseen):
                    rest(work, place + n, place + n + RING, delay, complexin)
                for index in range(U(rows)):
                    source = place + (index * WIDTH if index < U(7) else RING + (index - U(7)) * WIDTH)
                    to = (U(h) * U(rows) + index) * U(keys) + U(here)
                    if count == WIDTH:
                        copy(work, source, lasting, to, width)
                    else:
                        copy_part(work, source, lasting, to, U(0), count)
