"""The loops of the compiled backend of ``latch_scan``, for float32 and float64 alike; computed in float64."""

from __future__ import annotations

from wetware.kernels.compiled.jit import jit


@jit
def walk_forward(rise, fall, state, kinetics, keep, made, first, last):
    """Sequences ``first`` to ``last``: rise, fall [B, T, H], keep [B, T], state [B, 2, H], made [B, T, 2, H]."""
    steps, heads = rise.shape[1:]
    for b in range(first, last):
        for h in range(heads):
            auto, half, drop, basal, bind, settle = kinetics[:, h]
            half6 = half**6
            m, i = state[b, 0, h], state[b, 1, h]
            for t in range(steps):
                m, i = m * keep[b, t], i * keep[b, t]
                square = m * m
                power = square * square * square
                on = rise[b, t, h] + auto * power / (power + half6)
                off = drop * (basal + (1.0 - basal) * i)
                after = (m + on) / (1.0 + on + off)
                down = fall[b, t, h]
                i = (i + down) / (1.0 + down + bind * m + settle)
                m = after
                made[b, t, 0, h], made[b, t, 1, h] = m, i


@jit
def walk_backward(rise, fall, state, kinetics, keep, made, above, to_rise, to_fall, to_state, to_kinetics, first, last):
    """From the gradient ``above`` of ``made`` back. Added to: to_kinetics [B, 6, H] in float64, one for each sequence."""
    steps, heads = rise.shape[1:]
    for b in range(first, last):
        for h in range(heads):
            auto, half, drop, basal, bind, settle = kinetics[:, h]
            half5 = half**5
            half6 = half5 * half
            to_m, to_i = 0.0, 0.0
            for t in range(steps - 1, -1, -1):
                m, i = (made[b, t - 1, 0, h], made[b, t - 1, 1, h]) if t else (state[b, 0, h], state[b, 1, h])
                m, i = m * keep[b, t], i * keep[b, t]
                to_m += above[b, t, 0, h]
                to_i += above[b, t, 1, h]
                square = m * m
                fifth = square * square * m
                whole = fifth * m + half6
                hill = fifth * m / whole
                pp1 = basal + (1.0 - basal) * i
                on, off, down = rise[b, t, h] + auto * hill, drop * pp1, fall[b, t, h]
                below = 1.0 / (1.0 + on + off)
                after = (m + on) * below
                to_on, to_off = to_m * (1.0 - after) * below, -to_m * after * below
                before_m = to_m * below
                below = 1.0 / (1.0 + down + bind * m + settle)
                after = (i + down) * below
                to_loss = -to_i * after * below
                to_down = to_i * below + to_loss
                before_i = to_i * below
                to_rise[b, t, h], to_fall[b, t, h] = to_on, to_down
                to_pp1 = to_off * drop
                to_hill = to_on * auto / (whole * whole)
                to_kinetics[b, 0, h] += to_on * hill
                to_kinetics[b, 1, h] -= to_hill * fifth * m * 6.0 * half5
                to_kinetics[b, 2, h] += to_off * pp1
                to_kinetics[b, 3, h] += to_pp1 * (1.0 - i)
                to_kinetics[b, 4, h] += to_loss * m
                to_kinetics[b, 5, h] += to_loss
                before_m += to_hill * 6.0 * fifth * half6 + to_loss * bind
                before_i += to_pp1 * (1.0 - basal)
                to_m, to_i = before_m * keep[b, t], before_i * keep[b, t]
            to_state[b, 0, h], to_state[b, 1, h] = to_m, to_i
