"""The loops of the compiled backend of ``vesicle_scan``.

Keys do not know each other, so a block of :data:`KEYS` of them walks over all queries with its state beside it in the
first-level cache. Everything that an inner loop touches lies in one flat array at constant offsets, copied in and out by loops
of their own: with twenty arrays LLVM gives up on proving that they do not overlap, and computes one key at a time.
"""

from __future__ import annotations

import numpy as np

from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.maths import exp, log, sigmoid

KEYS = 32  # of a block
RATES = 19  # kinetics of a head
STATE = 7  # rows of the state before the ring
# rows of the scratch, by the offset of their first number
_D, _OUT, _ASKED, _RING, _C, _B, _R, _P, _S, _X, _E, _REL = (KEYS * row for row in range(12))
SCRATCH = 12 * KEYS
TAPE = 8 * KEYS  # numbers kept of a query for the way back: c, b, R, P1, S, X, E, r
# rows of the scratch of the way back, after those above: the gradients of the state, of the score and of the kinetics
_GO, _GD, _GRING = (KEYS * row for row in range(12, 15))
_GC, _GB, _GR, _GP, _GS, _GX, _GE = (KEYS * row for row in range(15, 22))
_GK = 22 * KEYS
BACK = (22 + RATES) * KEYS
_0, _1, _2 = np.float32(0.0), np.float32(1.0), np.float32(2.0)
_FAST, _SLOW = np.float32(0.7), np.float32(0.3)
_RESERVE = np.float32(3.0)


@jit
def begin(w, state, before, first_key, width, x0):
    """The state of the block's keys before the chunk (those that are born in it are at rest): w rows c to E."""
    for lane in range(KEYS):
        for row in range(STATE):
            w[_C + row * KEYS + lane] = _0
        w[_R + lane] = _1
        w[_S + lane] = _1
        w[_E + lane] = _1
        w[_P + lane] = _RESERVE
        w[_X + lane] = x0
    for row in range(STATE):
        source, target = state[row, min(first_key, before) :], w[_C + row * KEYS :]
        for lane in range(min(width, before - first_key)):
            target[lane] = source[lane]


@jit
def take(w, row, source):
    """``w[row: row + len(source)] = source``: a full block by a loop of known length."""
    target = w[row : row + KEYS]
    if len(source) == KEYS:
        for lane in range(KEYS):
            target[lane] = source[lane]
    else:
        for lane in range(len(source)):
            target[lane] = source[lane]


@jit
def put(target, w, row):
    """``target = w[row: row + len(target)]``."""
    source = w[row : row + KEYS]
    if len(target) == KEYS:
        for lane in range(KEYS):
            target[lane] = source[lane]
    else:
        for lane in range(len(target)):
            target[lane] = source[lane]


@jit
def admit(w, low, high):
    """Which lanes the query asks: from ``low`` up to but without ``high``."""
    for lane in range(KEYS):
        w[_ASKED + lane] = _1 if low <= lane and lane < high else _0


@jit
def ask(w, kinetics):
    """One query at every key of the block: reads rows d, asked, ring; writes out, r and the new state; ring is left as it
    is."""
    theta, rho, kon, koff = kinetics[0], kinetics[1], kinetics[2], kinetics[3]
    a1, a2, a3 = kinetics[4] * kinetics[4], kinetics[5] * kinetics[5], kinetics[6] * kinetics[6]
    kappa, eta, k, rs, cs = kinetics[7], kinetics[8], kinetics[9], kinetics[10], kinetics[11]
    x0, rx, cx, re, ce, lam, eps = (
        kinetics[12],
        kinetics[13],
        kinetics[14],
        kinetics[15],
        kinetics[16],
        kinetics[17],
        kinetics[18],
    )
    for lane in range(KEYS):
        d, c, b = w[_D + lane], w[_C + lane], w[_B + lane]
        ready, reserve, s, x, e = w[_R + lane], w[_P + lane], w[_S + lane], w[_X + lane], w[_E + lane]
        asked = w[_ASKED + lane] > _0
        g = sigmoid(d - theta)
        residual = rho * c
        c1 = residual + g
        flux = (kon * c1 * (_1 - b) - koff * b) / (_1 + kon * c1 + koff)
        q, u, v = c1 * c1, residual * residual, g * g
        sensed = _FAST * q / (q + a1) + _SLOW * q / (q + a2)
        hazard = (_1 - x) * kappa * sensed + eta * (u / (u + a3))
        released = ready * (_1 - exp(-s * hazard))
        rested = _1 - exp(-(_1 - x0) * kappa * (_FAST * v / (v + a1) + _SLOW * v / (v + a2)))
        w[_OUT + lane] = d + lam * log((released * e + eps) / (rested + eps))
        back = reserve + w[_RING + lane]
        primed = k * back * (_1 - ready + released)
        w[_REL + lane] = released
        w[_C + lane] = c1 - flux if asked else c
        w[_B + lane] = b + flux if asked else b
        w[_R + lane] = ready - released + primed if asked else ready
        w[_P + lane] = back - primed if asked else reserve
        w[_S + lane] = s + rs * (_1 - s) - cs * released * s if asked else s
        w[_X + lane] = x + rx * (x0 - x) - cx * released * x if asked else x
        w[_E + lane] = e + re * (_1 - e) - ce * released * e if asked else e


@jit
def turns(first, before, first_key, width):
    """The queries that ask any key of the block: from the first of them up to but without the last. ``first`` does not fall."""
    start, end = max(0, first_key - before), len(first)
    low, high = start, end
    while low < high:  # the first query that has left the whole block behind
        middle = (low + high) // 2
        if first[middle] > first_key + width - 1:
            high = middle
        else:
            low = middle + 1
    return start, low


@jit
def forward(scores, state, kinetics, first, time, hidden, heads, out, left, begin_at, end_at):
    """(Sequence, head) pairs ``begin_at`` to ``end_at``: scores, out [N, Q, K], state [N, F, K - Q], kinetics [H, 19], first
    [B, Q], left [N, F, K]. ``hidden``: what out is where a query does not look."""
    queries, keys = scores.shape[1:]
    before, delay = keys - queries, state.shape[1] - STATE
    w, ring = np.empty(SCRATCH, np.float32), np.empty((delay, KEYS), np.float32)
    for pair in range(begin_at, end_at):
        seen, rates = first[pair // heads], kinetics[pair % heads]
        for first_key in range(0, keys, KEYS):
            width = min(KEYS, keys - first_key)
            begin(w, state[pair], before, first_key, width, rates[12])
            ring[:] = _0
            for slot in range(delay):
                source, target = state[pair, STATE + slot, min(first_key, before) :], ring[slot]
                for lane in range(min(width, before - first_key)):
                    target[lane] = source[lane]
            for lane in range(KEYS):
                w[_D + lane] = _0
            start, stop = turns(seen, before, first_key, width)
            for i in range(queries):
                made = out[pair, i, first_key : first_key + width]
                if i < start or i >= stop:
                    for lane in range(width):
                        made[lane] = hidden
                    continue
                slot = ring[(time + i) % delay]
                admit(w, seen[i] - first_key, before + i + 1 - first_key)
                take(w, _D, scores[pair, i, first_key : first_key + width])
                for lane in range(KEYS):
                    w[_RING + lane] = slot[lane]
                ask(w, rates)
                for lane in range(KEYS):
                    slot[lane] = w[_REL + lane] if w[_ASKED + lane] > _0 else slot[lane]
                    w[_OUT + lane] = w[_OUT + lane] if w[_ASKED + lane] > _0 else hidden
                put(made, w, _OUT)
            finish(w, ring, left[pair], seen[queries - 1], first_key, width, delay, rates[12])


@jit
def finish(w, ring, left, oldest, first_key, width, delay, x0):
    """Write the state of the block's keys; those that the last query does not see are at rest."""
    for row in range(STATE):
        target = left[row]
        for lane in range(width):
            target[first_key + lane] = w[_C + row * KEYS + lane]
    for slot in range(delay):
        target = left[STATE + slot]
        for lane in range(width):
            target[first_key + lane] = ring[slot, lane]
    for lane in range(min(width, oldest - first_key)):
        key = first_key + lane
        for row in range(STATE + delay):
            left[row, key] = _0
        left[2, key] = left[4, key] = left[6, key] = _1
        left[3, key] = _RESERVE
        left[5, key] = x0


@jit
def remember(tape, w):
    """What of a query the way back needs, before it is asked; r is added by :func:`keep_release`."""
    for lane in range(KEYS):
        tape[lane] = w[_C + lane]
        tape[KEYS + lane] = w[_B + lane]
        tape[2 * KEYS + lane] = w[_R + lane]
        tape[3 * KEYS + lane] = w[_P + lane] + w[_RING + lane]
        tape[4 * KEYS + lane] = w[_S + lane]
        tape[5 * KEYS + lane] = w[_X + lane]
        tape[6 * KEYS + lane] = w[_E + lane]


@jit
def recall(w, tape):
    """The tape of a query, into the rows c to r of the scratch (P is P1 there)."""
    for lane in range(KEYS):
        w[_C + lane] = tape[lane]
        w[_B + lane] = tape[KEYS + lane]
        w[_R + lane] = tape[2 * KEYS + lane]
        w[_P + lane] = tape[3 * KEYS + lane]
        w[_S + lane] = tape[4 * KEYS + lane]
        w[_X + lane] = tape[5 * KEYS + lane]
        w[_E + lane] = tape[6 * KEYS + lane]
        w[_REL + lane] = tape[7 * KEYS + lane]


@jit
def ask_back(w, kinetics):
    """The way back through :func:`ask`: from the gradients of out and of the new state to those of the score, the old state and
    the kinetics, which are added up lane by lane. Rows as in the reference: a1 = k1^2 and so on."""
    theta, rho, kon, koff = kinetics[0], kinetics[1], kinetics[2], kinetics[3]
    k1, k2, k3 = kinetics[4], kinetics[5], kinetics[6]
    a1, a2, a3 = k1 * k1, k2 * k2, k3 * k3
    kappa, eta, k, rs, cs = kinetics[7], kinetics[8], kinetics[9], kinetics[10], kinetics[11]
    x0, rx, cx, re, ce, lam, eps = (
        kinetics[12],
        kinetics[13],
        kinetics[14],
        kinetics[15],
        kinetics[16],
        kinetics[17],
        kinetics[18],
    )
    for lane in range(KEYS):
        asked = w[_ASKED + lane] > _0
        d, c, b, ready = w[_D + lane], w[_C + lane], w[_B + lane], w[_R + lane]
        back, s, x, e, released = w[_P + lane], w[_S + lane], w[_X + lane], w[_E + lane], w[_REL + lane]
        # gradients of what is not asked do not count here: they go on as they are
        go = w[_GO + lane] if asked else _0
        gc = w[_GC + lane] if asked else _0
        gb = w[_GB + lane] if asked else _0
        gr = w[_GR + lane] if asked else _0
        gp = w[_GP + lane] if asked else _0
        gs = w[_GS + lane] if asked else _0
        gx = w[_GX + lane] if asked else _0
        ge = w[_GE + lane] if asked else _0
        gring = w[_GRING + lane] if asked else _0
        # forward again, as far as it is needed
        g = sigmoid(d - theta)
        residual = rho * c
        c1 = residual + g
        below = _1 / (_1 + kon * c1 + koff)
        flux = (kon * c1 * (_1 - b) - koff * b) * below
        q, u, v = c1 * c1, residual * residual, g * g
        q1, q2, u3, v1, v2 = _1 / (q + a1), _1 / (q + a2), _1 / (u + a3), _1 / (v + a1), _1 / (v + a2)
        sensed, doc = _FAST * q * q1 + _SLOW * q * q2, u * u3
        hazard = (_1 - x) * kappa * sensed + eta * doc
        kept = exp(-s * hazard)
        fresh = _FAST * v * v1 + _SLOW * v * v2
        silent = exp(-(_1 - x0) * kappa * fresh)
        top, bottom = released * e + eps, _1 - silent + eps
        over_top, over_bottom = _1 / top, _1 / bottom
        # backward: pools
        gm = gr - gp
        free = _1 - ready + released
        grel = gring - gr - cs * s * gs - cx * x * gx - ce * e * ge + gm * k * back
        gback = gp + gm * k * free
        new_gr = gr - gm * k * back
        new_gs = gs * (_1 - rs - cs * released)
        new_gx = gx * (_1 - rx - cx * released)
        new_ge = ge * (_1 - re - ce * released)
        w[_GK + 9 * KEYS + lane] += gm * back * free
        w[_GK + 10 * KEYS + lane] += gs * (_1 - s)
        w[_GK + 11 * KEYS + lane] -= gs * released * s
        w[_GK + 13 * KEYS + lane] += gx * (x0 - x)
        w[_GK + 14 * KEYS + lane] -= gx * released * x
        w[_GK + 15 * KEYS + lane] += ge * (_1 - e)
        w[_GK + 16 * KEYS + lane] -= ge * released * e
        # the score
        scaled = go * lam
        w[_GK + 17 * KEYS + lane] += go * log(top * over_bottom)
        w[_GK + 18 * KEYS + lane] += scaled * (over_top - over_bottom)
        grel += scaled * e * over_top
        new_ge += scaled * released * over_top
        grested = -scaled * over_bottom
        # release
        new_gr += grel * (_1 - kept)
        gpush = grel * ready * kept
        new_gs += gpush * hazard
        ghazard = gpush * s
        new_gx -= ghazard * kappa * sensed
        gsensed = ghazard * (_1 - x) * kappa
        gdoc = ghazard * eta
        gy = grested * silent
        gfresh = gy * (_1 - x0) * kappa
        w[_GK + 7 * KEYS + lane] += ghazard * (_1 - x) * sensed + gy * (_1 - x0) * fresh
        w[_GK + 8 * KEYS + lane] += ghazard * doc
        w[_GK + 12 * KEYS + lane] += gx * rx - gy * kappa * fresh
        # sensors: d/dc of c^2 / (c^2 + a) is 2 c a / (c^2 + a)^2, d/dk is -2 k c^2 / (c^2 + a)^2
        fast, slow, late = _2 * _FAST * q1 * q1, _2 * _SLOW * q2 * q2, _2 * u3 * u3 * gdoc
        fast_v, slow_v = _2 * _FAST * v1 * v1 * gfresh, _2 * _SLOW * v2 * v2 * gfresh
        fast, slow = fast * gsensed, slow * gsensed
        w[_GK + 4 * KEYS + lane] -= k1 * (q * fast + v * fast_v)
        w[_GK + 5 * KEYS + lane] -= k2 * (q * slow + v * slow_v)
        w[_GK + 6 * KEYS + lane] -= k3 * u * late
        # calcium
        gflux = gb - gc
        gover = gflux * below
        gunder = -gover * flux
        gc1 = gc + (gover * (_1 - b) + gunder) * kon + c1 * (a1 * fast + a2 * slow)
        new_gb = gb - gover * (kon * c1 + koff)
        w[_GK + 2 * KEYS + lane] += c1 * (gover * (_1 - b) + gunder)
        w[_GK + 3 * KEYS + lane] += gunder - gover * b
        gresidual = gc1 + residual * a3 * late
        gg = (gc1 + g * (a1 * fast_v + a2 * slow_v)) * g * (_1 - g)
        w[_GK + 1 * KEYS + lane] += gresidual * c
        w[_GK + lane] -= gg
        w[_GD + lane] = go + gg
        w[_GC + lane] = gresidual * rho if asked else w[_GC + lane]
        w[_GB + lane] = new_gb if asked else w[_GB + lane]
        w[_GR + lane] = new_gr if asked else w[_GR + lane]
        w[_GP + lane] = gback if asked else w[_GP + lane]
        w[_GS + lane] = new_gs if asked else w[_GS + lane]
        w[_GX + lane] = new_gx if asked else w[_GX + lane]
        w[_GE + lane] = new_ge if asked else w[_GE + lane]
        w[_GRING + lane] = gback if asked else w[_GRING + lane]


@jit
def end(w, gring, given, oldest, first_key, width, delay):
    """Take in the gradients of the state that was given out. What lies at rest there is a constant, but for complexin."""
    for lane in range(width):
        key, seen = first_key + lane, first_key + lane >= oldest
        for row in range(STATE):
            w[_GC + row * KEYS + lane] = given[row, key] if seen else _0
        for slot in range(delay):
            gring[slot, lane] = given[STATE + slot, key] if seen else _0
        if not seen:
            w[_GK + 12 * KEYS + lane] += given[5, key]


@jit
def backward(
    scores, state, kinetics, first, time, heads, above, above_left, to_scores, to_state, to_kinetics, begin_at, end_at
):
    """As :func:`forward`, with the gradients ``above`` of out and ``above_left`` of the state left: each block goes forward
    once more, keeping what the way back needs. to_kinetics: [N, 19]."""
    queries, keys = scores.shape[1:]
    before, delay = keys - queries, state.shape[1] - STATE
    w, ring, gring = (
        np.empty(BACK, np.float32),
        np.empty((delay, KEYS), np.float32),
        np.empty((delay, KEYS), np.float32),
    )
    tape = np.empty((queries, TAPE), np.float32)
    for pair in range(begin_at, end_at):
        seen, rates = first[pair // heads], kinetics[pair % heads]
        to_kinetics[pair] = _0
        for first_key in range(0, keys, KEYS):
            width = min(KEYS, keys - first_key)
            w[:] = _0
            begin(w, state[pair], before, first_key, width, rates[12])
            ring[:] = _0
            gring[:] = _0
            for slot in range(delay):
                source, target = state[pair, STATE + slot, min(first_key, before) :], ring[slot]
                for lane in range(min(width, before - first_key)):
                    target[lane] = source[lane]
            start, stop = turns(seen, before, first_key, width)
            for i in range(start, stop):
                slot, kept = ring[(time + i) % delay], tape[i]
                admit(w, seen[i] - first_key, before + i + 1 - first_key)
                take(w, _D, scores[pair, i, first_key : first_key + width])
                for lane in range(KEYS):
                    w[_RING + lane] = slot[lane]
                remember(kept, w)
                ask(w, rates)
                for lane in range(KEYS):
                    kept[7 * KEYS + lane] = w[_REL + lane]
                for lane in range(KEYS):
                    slot[lane] = w[_REL + lane] if w[_ASKED + lane] > _0 else slot[lane]
            end(w, gring, above_left[pair], seen[queries - 1], first_key, width, delay)
            for i in range(queries - 1, -1, -1):
                target = to_scores[pair, i, first_key : first_key + width]
                if i < start or i >= stop:
                    for lane in range(width):
                        target[lane] = _0
                    continue
                slot = gring[(time + i) % delay]
                admit(w, seen[i] - first_key, before + i + 1 - first_key)
                recall(w, tape[i])
                take(w, _D, scores[pair, i, first_key : first_key + width])
                take(w, _GO, above[pair, i, first_key : first_key + width])
                for lane in range(KEYS):
                    w[_GRING + lane] = slot[lane]
                ask_back(w, rates)
                for lane in range(KEYS):
                    slot[lane] = w[_GRING + lane]
                put(target, w, _GD)
            give_back(w, gring, to_state[pair], before, first_key, width, delay)
            for rate in range(RATES):
                total = _0
                for lane in range(width):
                    total += w[_GK + rate * KEYS + lane]
                to_kinetics[pair, rate] += total


@jit
def give_back(w, gring, to_state, before, first_key, width, delay):
    """The gradients of the state before the chunk; a key that was born in it began with complexin at rest."""
    old = min(width, before - first_key)
    for row in range(STATE):
        for lane in range(old):
            to_state[row, first_key + lane] = w[_GC + row * KEYS + lane]
    for slot in range(delay):
        for lane in range(old):
            to_state[STATE + slot, first_key + lane] = gring[slot, lane]
    for lane in range(max(old, 0), width):
        w[_GK + 12 * KEYS + lane] += w[_GX + lane]
