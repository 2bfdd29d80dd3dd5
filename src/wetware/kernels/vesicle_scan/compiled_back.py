"""The loops of the compiled backend of ``vesicle_scan``, backward.

Nothing is kept between forward and backward. A block of keys walks over its queries again and writes down, for each, the state
that the query met and four numbers more; then it walks back. See ``compiled_loops`` for why all lies in flat arrays.
"""

from __future__ import annotations

import numpy as np

from wetware.kernels.compiled import maths
from wetware.kernels.compiled.jit import inlined, jit
from wetware.kernels.vesicle_scan.compiled_draws import draw
from wetware.kernels.vesicle_scan.compiled_loops import (
    afterwards,
    constants,
    copy,
    copy_part,
    erase,
    let_go,
    load,
    opening,
    ratio_to_rest,
    rest,
    tabulate,
)  # fmt: skip
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
    MOST,
    ONE,
    PRIMING,
    RE,
    RHO,
    RS,
    RX,
    SYT1,
    SYT7,
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

# what is written down of a query: the state, what came back, the logarithm (before: the score), the influx and what was held
INFLUX, HELD = U(LANES * 9), U(LANES * 10)
NEXT = U(LANES * 11)
# and where release was drawn: what was released and its gradients by R and p, for which draws need a row more
DRAWN, NEXT_DRAWN = U(LANES * 11), U(LANES * 15)
# rows of a group on the way back: what was written down, then the gradients of the state, of what goes into the ring (before)
# or came out of it (after), and of the output (before) or the score (after), then those of the kinetics, and of the ring
GC, GB, GR, GP, GS, GX, GE, GRING, GD = (U(LANES * (11 + row)) for row in range(9))
SUMS = U(LANES * 20)
T_THETA, T_RHO, T_KON, T_KOFF, T_K1, T_K2, T_K3, T_KAPPA, T_ETA = (U(LANES * (20 + row)) for row in range(9))
T_PRIMING, T_RS, T_CS, T_X0, T_RX, T_CX, T_RE, T_CE, T_LAM, T_EPS = (U(LANES * (29 + row)) for row in range(10))
RELEASED, BY_READY, BY_SHARE = U(LANES * 39), U(LANES * 40), U(LANES * 41)
GIVEN = U(LANES * 42)
TWO = np.float32(2.0)


@inlined
def step(drawn):
    """From what is written down of one query to the next."""
    return NEXT if drawn is None else NEXT_DRAWN


@inlined
def note(kept, at, row, drawn, width):
    """One query asks the group written down at ``at``; the state it leaves goes to the next place."""
    k = constants(row)
    for n in range(width):
        i = at + n
        b, r, s, x, e = kept[i + B], kept[i + R], kept[i + S], kept[i + X], kept[i + E]
        influx, calcium, opened = opening(k, kept[i + D], kept[i + C], s, x)
        held = maths.exp_within(-opened)
        released = r * (ONE - held) if drawn is None else kept[i + DRAWN]
        ratio = ratio_to_rest(k, influx, released, e)
        new = afterwards(k, calcium, released, b, r, kept[i + P] + kept[i + IN], s, x, e)
        kept[i + D], kept[i + INFLUX], kept[i + HELD] = ratio, influx, held
        i += step(drawn)
        kept[i + C], kept[i + B], kept[i + R], kept[i + P], kept[i + S], kept[i + X], kept[i + E] = new


@inlined
def retreat(work, at, row, drawn, width):
    """One query backwards, for the group at ``at``: from the gradients of the state it leaves to those of the state it met."""
    k = constants(row)
    for n in range(width):
        i = at + n
        c, b, r, s, x, e = work[i + C], work[i + B], work[i + R], work[i + S], work[i + X], work[i + E]
        influx, held, ratio, above = work[i + INFLUX], work[i + HELD], work[i + D], work[i + GD]
        residual = k[RHO] * c
        calcium = residual + influx
        # output
        released = r * (ONE - held) if drawn is None else work[i + RELEASED]
        by_ready = ONE - held if drawn is None else work[i + BY_READY]
        by_share = r if drawn is None else work[i + BY_SHARE]
        open_now, open_rest = (ONE - x) * k[KAPPA], (ONE - k[X0]) * k[KAPPA]
        square = influx * influx
        i1, i2 = ONE / (square + k[K1]), ONE / (square + k[K2])
        lone = square * (SYT1 * i1 + SYT7 * i2)
        unheld = maths.exp_within(-min(open_rest * lone, MOST))
        top = above * k[LAM] / (released * e + k[EPS])
        bottom = -above * k[LAM] / (ONE - unheld + k[EPS])
        work[i + T_LAM] += above * ratio
        work[i + T_EPS] += top + bottom
        to_released = top * e
        # the rested synapse
        to_hazard = bottom * unheld
        to_x0 = -to_hazard * k[KAPPA] * lone
        to_kappa = to_hazard * (ONE - k[X0]) * lone
        to_sensor = to_hazard * open_rest
        a1, a2 = SYT1 * i1 * i1, SYT7 * i2 * i2
        to_influx = to_sensor * (a1 * k[K1] + a2 * k[K2]) * TWO * influx
        to_k1, to_k2 = to_sensor * a1 * square, to_sensor * a2 * square
        # energy, complexin, SNARE
        up, to_e = work[i + GE], top * released
        to_released -= up * k[CE] * e
        work[i + T_RE] += up * (ONE - e)
        work[i + T_CE] -= up * released * e
        work[i + GE] = to_e + up * (ONE - k[RE] - k[CE] * released)
        up = work[i + GX]
        to_released -= up * k[CX] * x
        work[i + T_RX] += up * (k[X0] - x)
        work[i + T_CX] -= up * released * x
        to_x0 += up * k[RX]
        to_x = up * (ONE - k[RX] - k[CX] * released)
        up = work[i + GS]
        to_released -= up * k[CS] * s
        work[i + T_RS] += up * (ONE - s)
        work[i + T_CS] -= up * released * s
        to_s = up * (ONE - k[RS] - k[CS] * released)
        # pools
        up_r, up_p, reserve, empty = work[i + GR], work[i + GP], work[i + P] + work[i + IN], ONE - (r - released)
        moved = up_r - up_p
        work[i + T_PRIMING] += moved * reserve * empty
        to_left = up_r - moved * k[PRIMING] * reserve
        to_released += work[i + GRING] - to_left
        to_reserve = up_p + moved * k[PRIMING] * empty
        work[i + GP], work[i + GRING] = to_reserve, to_reserve
        # release
        work[i + GR] = to_left + to_released * by_ready
        square = calcium * calcium
        i1, i2 = ONE / (square + k[K1]), ONE / (square + k[K2])
        sensor = square * (SYT1 * i1 + SYT7 * i2)
        own = residual * residual
        i3 = ONE / (own + k[K3])
        drive = to_released * by_share * held
        work[i + GS] = to_s + drive * (open_now * sensor + k[ETA] * own * i3)
        to_hazard = drive * s
        work[i + GX] = to_x - to_hazard * k[KAPPA] * sensor
        work[i + T_KAPPA] += to_kappa + to_hazard * (ONE - x) * sensor
        work[i + T_X0] += to_x0
        work[i + T_ETA] += to_hazard * own * i3
        to_sensor = to_hazard * open_now
        a1, a2 = SYT1 * i1 * i1, SYT7 * i2 * i2
        to_calcium = to_sensor * (a1 * k[K1] + a2 * k[K2]) * TWO * calcium
        work[i + T_K1] -= to_k1 + to_sensor * a1 * square
        work[i + T_K2] -= to_k2 + to_sensor * a2 * square
        to_doc = to_hazard * k[ETA] * i3 * i3
        work[i + T_K3] -= to_doc * own
        # calcium and its buffer
        share = ONE / (ONE + k[KON] * calcium + k[KOFF])
        flux = (k[KON] * calcium * (ONE - b) - k[KOFF] * b) * share
        up_c, up_b = work[i + GC], work[i + GB]
        to_flux = (up_b - up_c) * share
        to_share = -to_flux * flux
        mixed = to_flux * (ONE - b) + to_share
        work[i + T_KON] += mixed * calcium
        work[i + T_KOFF] += to_share - to_flux * b
        work[i + GB] = up_b - to_flux * (k[KON] * calcium + k[KOFF])
        to_calcium += up_c + mixed * k[KON]
        to_residual = to_calcium + to_doc * k[K3] * TWO * residual
        work[i + T_RHO] += to_residual * c
        work[i + GC] = to_residual * k[RHO]
        to_drive = (to_influx + to_calcium) * influx * (ONE - influx)
        work[i + T_THETA] -= to_drive
        work[i + GD] = above + to_drive


@jit
def again(flat, given, h, key, stop, sizes, time, low, row, kept, rings, drawn, width):
    """The keys ``key`` to ``stop`` walk over their queries again; gives the query after the last that sees any of them. The
    rings lie in ``kept`` too, from ``rings`` on."""
    queries, keys, rows = sizes
    before, delay, complexin = keys - queries, U(rows - 7), row[X0]
    for g in range(-(-(stop - key) // LANES)):
        here = key + g * LANES
        place = U(g * (queries + 1) + max(0, here - before)) * step(drawn)
        at, ring = U(h) * U(rows) * U(before), rings + U(g) * delay * WIDTH
        load(given, at, U(before), U(here), kept, place, ring, delay, complexin, width)
    for i in range(max(0, key - before), queries):
        oldest, newest = max(0, low[i]), before + i
        if oldest >= stop:
            return i
        if key <= newest < stop:
            g, n = (newest - key) // LANES, U((newest - key) % LANES)
            rest(kept, U(g * (queries + 1) + i) * step(drawn) + n, rings + U(g) * delay * WIDTH + n, delay, complexin)
        slot = rings + U((time + i) % int(delay)) * WIDTH
        for g in range(max(0, oldest - key) // LANES, (min(stop - 1, newest) - key) // LANES + 1):
            here = key + g * LANES
            place, source = U(g * (queries + 1) + i) * step(drawn), U((h * queries + i) * keys + here)
            count, ring = U(min(LANES, newest + 1 - here)), slot + U(g) * delay * WIDTH
            if count == WIDTH:
                copy(flat, source, kept, place + D, width)
            else:
                for n in range(WIDTH):
                    kept[place + D + n] = np.float32(0.0)
                copy_part(flat, source, kept, place + D, U(0), count)
            copy(kept, ring, kept, place + IN, width)
            if drawn is not None:
                let_go(kept, place, row, DRAWN, width)
                draw(kept, place, DRAWN, drawn, h * queries + i, newest - here, True, width)
            note(kept, place, row, drawn, width)
            if drawn is not None:
                copy(kept, place + DRAWN, kept, ring, width)
            else:
                for n in range(width):
                    kept[ring + n] = kept[place + R + n] * (ONE - kept[place + HELD + n])
    return queries


@inlined
def be_born(work, lane, ring, delay):
    """Before its first query a key was at rest: its gradients end here, but for complexin's, whose rest is a constant."""
    work[lane + T_X0] += work[lane + GX]
    for index in range(U(7)):
        work[lane + GC + index * WIDTH] = np.float32(0.0)
    for slot in range(delay):
        work[ring + slot * WIDTH] = np.float32(0.0)


@inlined
def begin_back(to_left, h, keys, rows, here, count, unseen, work, place):
    """The gradients of one group's last state, out of ``to_left`` [B, H, 7 + delay, K]."""
    for lane in range(count):
        for index in range(rows):
            value = to_left[(h * rows + index) * keys + here + lane]
            if lane < unseen:  # these were put to rest
                if index == U(5):
                    work[place + T_X0 + lane] += value
            elif index < U(7):
                work[place + GC + index * WIDTH + lane] = value
            else:
                work[place + GIVEN + (index - U(7)) * WIDTH + lane] = value


@inlined
def end_back(work, place, to_state, h, before, rows, here, count):
    """The gradients of one group's first state, into ``to_state`` [B, H, 7 + delay, K - Q]."""
    for index in range(rows):
        source = place + (GC + index * WIDTH if index < U(7) else GIVEN + (index - U(7)) * WIDTH)
        for lane in range(count):
            to_state[(h * rows + index) * before + here + lane] = work[source + lane]


@jit
def walk_backward(
    scores,
    state,
    kinetics,
    first,
    time,
    to_out,
    to_left,
    to_scores,
    to_state,
    to_table,
    drawn,
    groups,
    width,
    begin,
    end,
):
    """The heads ``begin`` to ``end``, as in :func:`compiled_loops.walk_forward`.

    to_out: the gradient of the output, [B, H, Q, K]. to_left: of the last state, [B, H, 7 + delay, K], or of no elements for
    none. Written: to_scores, to_state. Added to: to_table [B * H, 19] float64, with the squares of k1, k2, k3 for themselves.
    """
    heads, queries, keys, rows, table = (
        scores.shape[1],
        scores.shape[2],
        scores.shape[3],
        state.shape[2],
        tabulate(kinetics),
    )
    before, delay = keys - queries, U(rows - 7)
    flat, given, above = scores.reshape(-1), state.reshape(-1), to_out.reshape(-1)
    made, last, initial = to_scores.reshape(-1), to_left.reshape(-1), to_state.reshape(-1)
    stride, rings = GIVEN + delay * WIDTH, U(groups * (queries + 1)) * step(drawn)
    work, kept = np.zeros(U(groups) * stride, np.float32), np.zeros(rings + U(groups) * delay * WIDTH, np.float32)
    for h in range(begin, end):
        low, row = first[h // heads], table[h % heads]
        erase(to_scores[h // heads, h % heads], keys, before, low, np.float32(0.0))
        for key in range(0, keys, groups * LANES):
            stop = min(keys, key + groups * LANES)
            after = again(flat, given, h, key, stop, (queries, keys, rows), time, low, row, kept, rings, drawn, width)
            work[:] = np.float32(0.0)
            if last.size > 0:
                for g in range(-(-(stop - key) // LANES)):
                    here = key + g * LANES
                    count, unseen = U(min(LANES, stop - here)), U(min(LANES, max(0, low[queries - 1] - here)))
                    begin_back(last, U(h), U(keys), U(rows), U(here), count, unseen, work, U(g) * stride)
            for i in range(after - 1, max(0, key - before) - 1, -1):
                oldest, newest = max(0, low[i]), before + i
                slot = GIVEN + U((time + i) % int(delay)) * WIDTH
                for g in range(max(0, oldest - key) // LANES, (min(stop - 1, newest) - key) // LANES + 1):
                    here = key + g * LANES
                    place, source = U(g) * stride, U((h * queries + i) * keys + here)
                    lo, hi = U(max(0, oldest - here)), U(min(LANES, newest + 1 - here))
                    whole, noted = lo == U(0) and hi == WIDTH, U(g * (queries + 1) + i) * step(drawn)
                    for n in range(width * U(11)):
                        work[place + n] = kept[noted + n]
                    if drawn is not None:
                        for n in range(width * U(3)):
                            work[place + RELEASED + n] = kept[noted + DRAWN + n]
                    if whole:
                        copy(above, source, work, place + GD, width)
                    else:
                        for n in range(WIDTH):
                            work[place + GD + n] = np.float32(0.0)
                        copy_part(above, source, work, place + GD, lo, hi)
                    copy(work, place + slot, work, place + GRING, width)
                    retreat(work, place, row, drawn, width)
                    copy(work, place + GRING, work, place + slot, width)
                    if whole:
                        copy(work, place + GD, made, source, width)
                    else:
                        copy_part(work, place + GD, made, source, lo, hi)
                if key <= newest < stop:
                    lane = U((newest - key) // LANES) * stride + U((newest - key) % LANES)
                    be_born(work, lane, lane + GIVEN, delay)
            for g in range(-(-(stop - key) // LANES)):
                place, here = U(g) * stride, key + g * LANES
                for index in range(19):
                    total = 0.0
                    for n in range(WIDTH):
                        total += work[place + SUMS + U(index) * WIDTH + n]
                    to_table[h, index] += total
                if here < before:
                    count = U(min(LANES, before - here))
                    end_back(work, place, initial, U(h), U(before), U(rows), U(here), count)
