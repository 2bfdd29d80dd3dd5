"""The formula of ``latch_scan`` in plain PyTorch, token by token."""

from __future__ import annotations

import torch
from torch import Tensor

KINETICS = (
    "autophosphorylation",  # of CaMKII by CaMKII, per token at saturation
    "half",  # m at which autophosphorylation is half of that
    "dephosphorylation",  # of CaMKII by PP1, per token at p = 1
    "basal",  # PP1 that is always active, a share of 1
    "inhibition",  # of PP1 by CaMKII, per token at m = 1
    "recovery",  # of PP1 to its basal level, per token
)


def reference(rise: Tensor, fall: Tensor, state: Tensor, kinetics: Tensor, keep: Tensor | None = None) -> Tensor:
    """CaMKII m and PP1 p of each head, a switch with two stable states. For each token (old values on the right)::

        hill = m^6 / (m^6 + half^6)
        p    = basal + (1 - basal) i
        on   = rise + autophosphorylation hill,   off = dephosphorylation p
        m <- (m + on) / (1 + on + off)
        i <- (i + fall) / (1 + fall + inhibition m + recovery)

    A step of the implicit Euler method for ``dm = on (1 - m) - off m``, ``di = fall (1 - i) - (inhibition m + recovery) i``
    with rates of the token before: m, i and p stay in [0, 1] whatever the rates, with no clamp in the way of a gradient.
    Nothing of it depends on a chunk. After Lisman, 1985 and Lisman and Zhabotinsky, 2001: CaMKII that phosphorylates itself,
    against PP1 that it holds down. The Hill exponent 6 and the form are ours; a head here is one synapse's worth of enzymes.

    Args:
        rise, fall: [B, T, H], not negative: calcium that is high phosphorylates CaMKII, calcium that is low frees PP1.
        state: m and i before the first token, [B, 2, H]; (0, 0) is rest.
        kinetics: [6, H], in the order of ``KINETICS``.
        keep: [B, T] of 0 and 1; 0 puts m and i to rest before that token (a document boundary).

    Returns:
        m and i after each token, [B, T, 2, H]; the last is the state.
    """
    auto, half, dephosphorylation, basal, inhibition, recovery = kinetics
    m, i = state.unbind(1)
    rows = []
    for t, (up, down) in enumerate(zip(rise.unbind(1), fall.unbind(1), strict=True)):
        if keep is not None:
            m, i = m * keep[:, t, None], i * keep[:, t, None]
        power = m**6
        on = up + auto * power / (power + half**6)
        off = dephosphorylation * (basal + (1 - basal) * i)
        m, i = (m + on) / (1 + on + off), (i + down) / (1 + down + inhibition * m + recovery)
        rows.append(torch.stack([m, i], 1))
    return torch.stack(rows, 1)
