"""The formula of ``vesicle_scan`` in plain PyTorch, query by query."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

KINETICS = (
    "theta",  # score of half the largest calcium influx
    "rho",  # calcium kept per token
    "kon",  # calcium bound by the buffer per token
    "koff",  # and let go
    "k1",  # half-saturation of synaptotagmin 1
    "k2",  # of synaptotagmin 7
    "k3",  # of Doc2
    "kappa",  # gain of synchronous release
    "eta",  # of asynchronous release
    "k",  # priming of ready vesicles out of the reserve
    "rs",  # recovery of SNARE, per token
    "cs",  # and what a release costs it
    "x0",  # complexin at rest
    "rx",
    "cx",
    "re",  # energy
    "ce",
    "lam",  # what the logarithm of release counts in the score
    "eps",  # release that is taken for nothing
)
RESERVE = 3.0  # vesicles in reserve at rest, in units of a full ready pool
C, B, R, P, S, X, E, RING = range(8)  # rows of the state; RING is the first of ``delay`` rows


def rest(kinetics: Tensor, batch: int, keys: int, delay: int) -> Tensor:
    """The state [B, H, 7 + delay, keys] of keys that nobody has asked: full pools, no calcium, nothing on its way back."""
    heads = kinetics.shape[1]
    state = kinetics.new_zeros(batch, heads, RING + delay, keys)
    state[:, :, (R, S, E)] = 1.0
    state[:, :, P] = RESERVE
    return torch.cat(
        [state[:, :, :X], kinetics[12, :, None].expand(batch, heads, keys)[:, :, None], state[:, :, E:]], 2
    )


def misshapen(scores: Tensor, state: Tensor, kinetics: Tensor, first: Tensor, time: int) -> str | None:
    """What is wrong with the shapes of these arguments, or None; for backends, which have no bounds checks."""
    if scores.ndim != 4 or not scores.numel() or scores.shape[2] > scores.shape[3]:
        return f"needs scores of [B, H, Q, K], none of them 0 and Q no more than K, got {list(scores.shape)}"
    batch, heads, queries, keys = scores.shape
    if state.ndim != 4 or state.shape[2] <= RING:
        return f"needs a state of [B, H, 7 + delay, K - Q] with a delay of 1 or more, got {list(state.shape)}"
    if state.shape != (batch, heads, state.shape[2], keys - queries):
        return f"needs a state of {[batch, heads, state.shape[2], keys - queries]}, got {list(state.shape)}"
    if kinetics.shape != (19, heads):
        return f"needs kinetics of {[19, heads]}, got {list(kinetics.shape)}"
    if first.shape != (batch, queries):
        return f"needs first of {[batch, queries]}, got {list(first.shape)}"
    return f"needs a time of 0 or more, got {time}" if time < 0 else None


def reference(
    scores: Tensor,
    state: Tensor,
    kinetics: Tensor,
    first: Tensor,
    *,
    time: int,
    hidden: float = 0.0,
    sample: Callable[[Tensor, Tensor, int], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Vesicle release at each synapse of attention, a synapse being a (head, key) that queries ask one after the other.

    Query i of Q stands at key ``K - Q + i`` and asks every key from ``first[b, i]`` up to itself, with its score d. Each key it
    asks sees the state that earlier queries left, then changes it (all on the right of an arrow are old values)::

        g   = sigmoid(d - theta)                                        calcium influx
        cr  = rho c,   c1 = cr + g                                      residual; with this query's influx
        f   = (kon c1 (1 - b) - koff b) / (1 + kon c1 + koff)           into the buffer: c <- c1 - f, b <- b + f
        s(c) = .7 c^2 / (c^2 + k1^2) + .3 c^2 / (c^2 + k2^2)            synaptotagmin 1 and 7
        D   = cr^2 / (cr^2 + k3^2)                                      Doc2, of the residual only
        r   = R (1 - exp(-S ((1 - X) kappa s(c1) + eta D)))             synchronous and asynchronous release
        rf  = 1 - exp(-(1 - x0) kappa s(g))                             what a rested synapse would release
        out = d + lam log((r E + eps) / (rf + eps))
        P1  = P + ring[time mod delay],   ring[time mod delay] <- r     endocytosis: vesicles come back after ``delay`` tokens
        m   = k P1 (1 - R + r);   R <- R - r + m;   P <- P1 - m         priming
        S <- S + rs (1 - S) - cs r S;   X <- X + rx (x0 - X) - cx r X;   E <- E + re (1 - E) - ce r E

    A rested synapse adds exactly nothing; ``R + P + sum(ring)`` = 4 always. ``out`` is ``hidden`` where a query does not look.
    A key that the last query does not see is at rest afterwards: nobody will ask it again.

    Args:
        scores: d, [B, H, Q, K], finite everywhere. Of half a precision they may be where all else is float32, as autocast
            makes them; the results are float32 then.
        state: [B, H, 7 + delay, K - Q], rows c, b, R, P, S, X, E, ring, of the keys before the chunk. The delay is read from
        it. kinetics: [19, H], in the order of ``KINETICS``; rates and costs such that ``rs + cs <= 1`` (X and E likewise), k in
            (0, 1/4), rho in (0, 1), kon <= 1.
        first: [B, Q] integers that do not fall along Q, the oldest key each query sees.
        time: position of the first query in its sequence, which places the ring.
        hidden: minus infinity makes of ``out`` what a softmax wants.
        sample: gives r, in [0, R], of (1 - exp(...), R, i), both [B, H, K], in place of their product. If it has a
            :class:`~wetware.kernels.vesicle_scan.drawing.Drawing` as its ``drawing``, compiled loops draw the same by that.

    Returns:
        out [B, H, Q, K] and the state [B, H, 7 + delay, K].

    After Tsodyks and Markram, 1997, Sudhof, 2013 (synaptotagmins, complexin), Yao et al., 2011 (Doc2); the form is ours.
    """
    batch, _, queries, keys = scores.shape
    delay = state.shape[2] - RING
    theta, rho, kon, koff, k1, k2, k3, kappa, eta, k, rs, cs, x0, rx, cx, re, ce, lam, eps = kinetics[:, :, None]
    fresh = rest(kinetics, batch, queries, delay)
    c, b, r, p, s, x, e, *ring = torch.cat([state, fresh], -1).unbind(2)  # each [B, H, K]
    place = torch.arange(keys, device=scores.device)
    rows = []
    for i in range(queries):
        d = scores[:, :, i]
        asked = ((place >= first[:, i, None]) & (place <= keys - queries + i))[:, None]
        g = torch.sigmoid(d - theta)
        residual = rho * c
        c1 = residual + g
        flux = (kon * c1 * (1 - b) - koff * b) / (1 + kon * c1 + koff)
        hazard = (1 - x) * kappa * _sensors(c1, k1, k2) + eta * residual.square() / (residual.square() + k3.square())
        share = -torch.expm1(-s * hazard)
        released = r * share if sample is None else sample(share, r, i)
        rested = -torch.expm1(-(1 - x0) * kappa * _sensors(g, k1, k2))
        out = d + lam * torch.log((released * e + eps) / (rested + eps))
        rows.append(torch.where(asked, out, hidden))
        slot = (time + i) % delay
        reserve = p + ring[slot]
        primed = k * reserve * (1 - r + released)
        old = (c, b, r, p, s, x, e, *ring)
        new = [c1 - flux, b + flux, r - released + primed, reserve - primed]
        new += [s + rs * (1 - s) - cs * released * s, x + rx * (x0 - x) - cx * released * x]
        new += [e + re * (1 - e) - ce * released * e, *ring]
        new[RING + slot] = released
        c, b, r, p, s, x, e, *ring = (torch.where(asked, after, before) for after, before in zip(new, old, strict=True))
    left = torch.stack([c, b, r, p, s, x, e, *ring], 2)
    seen = (place >= first[:, -1, None])[:, None, None]
    return torch.stack(rows, 2), torch.where(seen, left, rest(kinetics, batch, keys, delay))


def _sensors(calcium: Tensor, k1: Tensor, k2: Tensor) -> Tensor:
    square = calcium.square()
    return 0.7 * square / (square + k1.square()) + 0.3 * square / (square + k2.square())
