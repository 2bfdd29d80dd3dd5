"""Fatigue: an expert that was just used is less wanted for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from wetware.config import Config, number

CHUNK = 16


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

    drive: p, [B, T, E]. state: [B, E], what the last token before left. decay: rho, [E]. keep: bool [B, T]. In chunks, each by
    one product with a matrix of powers of the decay, all at once; only what one chunk leaves to the next goes step by step.
    """
    steps = drive.shape[1]
    size = min(CHUNK, steps)
    missing = -steps % size
    if missing:
        drive = functional.pad(drive, (0, 0, 0, missing))
        keep = functional.pad(keep, (0, missing), value=True)
    drive, keep = drive.unflatten(1, (-1, size)), keep.unflatten(1, (-1, size))
    apart = _powers(decay, size, keep.device)
    # which document of its chunk a token belongs to; what is left at the end belongs to the last
    document = (~keep).cumsum(-1)
    document = torch.cat([document, document[..., -1:]], -1)
    same = document[..., :, None] == document[..., None, :-1]
    inner = torch.einsum("bntse,bnse->bnte", same.unsqueeze(-1) * apart, (1 - decay) * drive)
    carried = (document == 0).unsqueeze(-1) * decay ** torch.arange(size + 1, device=decay.device)[:, None]
    return _joined(inner, carried, state, steps)


def _powers(decay: Tensor, size: int, device: torch.device) -> Tensor:
    """``decay^(t - 1 - s)`` for s < t, else 0: [size + 1, size, E]."""
    back = torch.arange(size + 1, device=device)[:, None] - 1 - torch.arange(size, device=device)
    return torch.where((back >= 0).unsqueeze(-1), decay ** back.clamp(min=0).unsqueeze(-1), 0.0)


def _joined(inner: Tensor, carried: Tensor, state: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """inner: what each chunk adds itself, [B, N, size + 1, E]. carried: what is left of what it was given, the same shape."""
    given = [state.to(inner.dtype)]
    for own, share in zip(inner[:, :-1, -1].unbind(1), carried[:, :-1, -1].unbind(1), strict=True):
        given.append(own + share * given[-1])
    whole = inner + carried * torch.stack(given, 1).unsqueeze(2)
    before = whole[:, :, :-1].flatten(1, 2)
    used = (steps - 1) % (inner.shape[2] - 1) + 1  # tokens of the last chunk that are no padding
    return before[:, :steps], whole[:, -1, used]
