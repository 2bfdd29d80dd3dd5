"""Release that is drawn, in the loops of ``vesicle_scan``: what the samplers of ``wetware.synapses.sampling`` do, lane by lane.

``drawn`` is the rows of a ``Drawing``, flat, as uint32, its way, its vesicles, one over its temperature and its share, in
float32. The numbers are those of the reference to the bit; a probability may differ by its last places, and then a vesicle
whose number lies between the two is let go in one and held in the other.
"""

from __future__ import annotations

import math

import numpy as np

from wetware.hashing import ODD, OTHER
from wetware.kernels.compiled import maths
from wetware.kernels.compiled.dice import mix32
from wetware.kernels.compiled.jit import inlined
from wetware.kernels.vesicle_scan.compiled_rows import LANES, ONE, R, U
from wetware.kernels.vesicle_scan.drawing import Way

MEAN, NORMAL, STRAIGHT, GUMBEL = -1, int(Way.NORMAL), int(Way.STRAIGHT), int(Way.GUMBEL)
W, BY_PAIR, BY_DRAW = np.uint32, np.uint32(ODD), np.uint32(OTHER)
HALF, TWO, PLACES = np.float32(0.5), np.float32(2.0), np.float32(2.0**-23)
NOTHING, ROOT = np.float32(1e-12), np.float32(math.sqrt(2.0))
LEAST, MOST = np.float32(1e-6), np.float32(1.0 - 1e-6)
# rows after the one that is written to
SECOND, THIRD, FOURTH = U(LANES), U(2 * LANES), U(3 * LANES)


@inlined
def uniform(bits, number):
    """The ``number``-th number in (0, 1) of 32 bits."""
    mixed = mix32(W(bits + W(W(number) * BY_DRAW)))
    return (np.float32(np.int32(mixed >> W(9))) + HALF) * PLACES


@inlined
def pair_of(bits, behind, n):
    """The bits of a query and the key ``behind - n`` places before it."""
    return mix32(W(bits + W(W(behind + W(1) - W(n)) * BY_PAIR)))


@inlined
def draw(work, at, to, drawn, query, behind, slopes, width):
    """What a query draws from the group at ``at``, out of the ready pools in R and the shares p in row ``to``.

    query: number of its bits. behind: how far before it the first lane lies. Row ``to`` becomes what is released; with
    ``slopes`` other than None the two rows after it its gradients by R and by p. A fourth row is used.
    """
    rows, way, vesicles, sharpness, share = drawn
    bits, behind, count = rows[query], W(behind), np.float32(vesicles)
    if not (share == ONE or uniform(bits, 1) < share):
        way = MEAN
    if way == NORMAL:
        for n in range(width):
            i = at + to + n
            ready, p = work[at + R + n], work[i]
            u = uniform(pair_of(bits, behind, n), 1)
            normal = ROOT * maths.erfinv(TWO * u - ONE)
            released = ready * p
            held = ready - released
            square = released * held / count
            deviation = math.sqrt(max(square, NOTHING))
            most, noise = min(released, held), deviation * normal
            work[i] = max(min(released + min(max(noise, -most), most), ready), np.float32(0.0))
            if slopes is not None:
                slope = np.float32(0.0) if square < NOTHING else HALF * normal / (deviation * count)
                by_released, by_ready = ONE + slope * (ready - TWO * released), slope * released
                sign = ONE if noise > np.float32(0.0) else -ONE
                if abs(noise) > most:
                    by_released = ONE + sign if released <= held else ONE - sign
                    by_ready = np.float32(0.0) if released <= held else sign
                work[i + SECOND] = by_released * p + by_ready
                work[i + THIRD] = by_released * ready
    elif way == STRAIGHT:
        for n in range(width):
            work[at + to + FOURTH + n] = np.float32(0.0)
        for number in range(1, vesicles + 1):
            for n in range(width):
                i = at + to + n
                work[i + FOURTH] += np.float32(uniform(pair_of(bits, behind, n), number) < work[i])
        for n in range(width):
            i = at + to + n
            ready, p = work[at + R + n], work[i]
            work[i] = ready * (work[i + FOURTH] / count)
            if slopes is not None:
                work[i + SECOND] = p
                work[i + THIRD] = ready
    elif way == GUMBEL:
        for n in range(width):
            i = at + to + n
            p = min(max(work[i], LEAST), MOST)
            work[i + SECOND] = maths.log(p) - maths.log(ONE - p)
            work[i + THIRD] = np.float32(0.0)
            work[i + FOURTH] = np.float32(0.0)
        for number in range(1, vesicles + 1):
            for n in range(width):
                i = at + to + n
                u = uniform(pair_of(bits, behind, n), number)
                score = work[i + SECOND] + maths.log(u) - maths.log(ONE - u)
                work[i + FOURTH] += np.float32(score > np.float32(0.0))
                if slopes is not None:
                    soft = maths.sigmoid(score * sharpness)
                    work[i + THIRD] += soft * (ONE - soft)
        for n in range(width):
            i = at + to + n
            ready, p, chosen = work[at + R + n], work[i], work[i + FOURTH] / count
            work[i] = ready * chosen
            if slopes is not None:
                open_ends = np.float32(p >= LEAST) * np.float32(p <= MOST)
                q = min(max(p, LEAST), MOST)
                work[i + SECOND] = chosen
                work[i + THIRD] = open_ends * ready * work[i + THIRD] / count * sharpness * (ONE / q + ONE / (ONE - q))
    else:
        for n in range(width):
            i = at + to + n
            ready, p = work[at + R + n], work[i]
            work[i] = ready * p
            if slopes is not None:
                work[i + SECOND] = p
                work[i + THIRD] = ready
