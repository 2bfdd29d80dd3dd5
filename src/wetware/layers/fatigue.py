"""Fatigue: an expert that was just used is less wanted for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from wetware.config import Config, number
from wetware.kernels import leaky_scan


@dataclass(frozen=True, kw_only=True)
class Fatigue(Config):
    """Per sequence and expert e, with p_e(t) the probability that the router gives it before fatigue::

        u_e(t) = rho_e u_e(t-1) + (1 - rho_e) p_e(t-1),     rho_e = exp(-1 / tau_e),     u = 0 where a document starts
        score_e(t) <- score_e(t) - strength_e u_e(t)

    tau (tokens) and strength are where every expert starts; its genes multiply them. A leaky integral of use, like the
    adaptation of a neuron's firing. u is between 0 and 1; for an expert that is the half of a split one, p counts twice, so
    that twins tire as the one did.
    """

    tau: float = number(32.0, 0.5, 1e6)
    strength: float = number(0.25, 0.0, 100.0)


class Kinetics(NamedTuple):
    """What the genes of experts [slots, 4] say. tau and strength: factors of those of :class:`Fatigue`. selectivity: a factor
    of the scores. gain: a factor of the output. Each [slots], the exponential of its gene."""

    tau: Tensor
    strength: Tensor
    selectivity: Tensor
    gain: Tensor


def decoded(genes: Tensor) -> Kinetics:
    return Kinetics(*genes.to(torch.promote_types(genes.dtype, torch.float32)).exp().unbind(-1))


def leaky(drive: Tensor, state: Tensor, decay: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
    """The u of :class:`Fatigue` before each token, [B, T, E], and what is left after the last, [B, E].

    drive: p, [B, T, E]. state: [B, E], what the last token before left. decay: rho, [E]. keep: bool [B, T].
    """
    kept = keep.unsqueeze(-1).to(decay.dtype)
    left = leaky_scan(((1 - decay) * drive).unsqueeze(-1), decay * kept, state.to(drive.dtype).unsqueeze(-1)).squeeze(
        -1
    )
    before = torch.cat([state.to(drive.dtype)[:, None], left[:, :-1]], 1)
    return kept * before, left[:, -1]
