"""Dispatch: every token to the few experts that it chose, and a loss that spreads the choices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from wetware.config import Config, number


@dataclass(frozen=True, kw_only=True)
class LoadBalance(Config):
    """``weight * E sum_e f_e P_e``, f_e the share of choices that fell on expert e in the batch, P_e its mean share of the
    scores: 1 times the weight at even use (Fedus, Zoph and Shazeer, Switch Transformer, 2022)."""

    weight: float = number(0.01, 0.0, 10.0)


def imbalance(scores: Tensor, chosen: Tensor, experts: int) -> Tensor:
    """``E sum_e f_e P_e``: 1 at even use, E when one expert has all choices and all of the scores.

    scores: [..., slots], shares of a sum of 1. chosen: [..., k] of slots. experts: E, how many slots hold one.
    """
    share = chosen.flatten().bincount(minlength=scores.shape[-1]) / chosen.numel()
    return experts * (share * scores.flatten(0, -2).mean(0)).sum()


def dispatched(x: Tensor, chosen: Tensor, experts: int, each: Callable[[int, Tensor], Tensor]) -> Tensor:
    """``each(e, rows)`` for the rows of x [R, inputs] that chose e, as [R, k, outputs]: sorted by expert, so that each reads
    its own at once. chosen: [R, k] of ``experts``. An expert that nobody chose is given no row. No token is ever dropped."""
    order = chosen.flatten().argsort(stable=True)
    counts = chosen.flatten().bincount(minlength=experts).tolist()
    given = x.index_select(0, order // chosen.shape[-1]).split(counts)
    made = torch.cat([each(expert, part) for expert, part in enumerate(given)])
    return made.index_select(0, order.argsort()).view(*chosen.shape, -1)
