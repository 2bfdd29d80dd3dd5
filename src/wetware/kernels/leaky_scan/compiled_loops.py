"""The loops of the compiled backend of ``leaky_scan``, for float32 and float64 alike."""

from __future__ import annotations

from wetware.kernels.compiled.jit import jit


@jit
def walk_forward(drive, share, state, sums, first, last):
    """Sequences ``first`` to ``last``: drive, sums [B, T, H, D], share [B, T, H], state [B, H, D]."""
    steps, heads, size = drive.shape[1:]
    for b in range(first, last):
        for h in range(heads):
            before = state[b, h]
            for t in range(steps):
                kept, now, out = share[b, t, h], drive[b, t, h], sums[b, t, h]
                for i in range(size):
                    out[i] = kept * before[i] + now[i]
                before = out


@jit
def walk_backward(share, state, sums, above, to_drive, to_share, to_state, first, last):
    """From the gradient ``above`` of the sums to ``to_drive`` [B, T, H, D], ``to_share`` [B, T, H], ``to_state`` [B, H, D]."""
    steps, heads, size = sums.shape[1:]
    for b in range(first, last):
        for h in range(heads):
            carried = to_state[b, h]
            for i in range(size):
                carried[i] = above[b, steps - 1, h, i]
            for t in range(steps - 1, -1, -1):
                met = sums[b, t - 1, h] if t else state[b, h]
                kept, out, total = share[b, t, h], to_drive[b, t, h], share[b, t, h] * 0
                for i in range(size):
                    out[i] = carried[i]
                    total += carried[i] * met[i]
                    carried[i] *= kept
                to_share[b, t, h] = total
                if t:
                    up = above[b, t - 1, h]
                    for i in range(size):
                        carried[i] += up[i]
