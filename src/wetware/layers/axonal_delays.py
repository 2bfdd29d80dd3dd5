"""Axonal delays: what a layer is driven by arrives over axons of different length."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wetware.config import Config, number


@dataclass(frozen=True, kw_only=True)
class AxonalDelays(Config):
    """Channel n of a layer's input u arrives d_n tokens late, before it is weighed::

        u_n,t  <-  u_n,t - d_n,     d_n = 0 for the first N / (longest + 1) channels, 1 for the next, ..., longest for the last

    so that a layer sees, beside the present token, exactly what stood 1, 2, ... ``longest`` tokens ago, which leaky membranes
    know only mixed. Nothing is computed and nothing learned: what a channel carries is learned by the layers before it. State:
    the last ``longest`` inputs. No input crosses the start of a document.

    Conduction delays of a spread are what lets spiking networks tell orders (Izhikevich, 2006; learned: Hammouamri and others,
    2024); in language models a shift by one token does the same (Peng and others, RWKV, 2023). An analogy to axons.
    """

    longest: int = number(8, 1, 1000)

    def init_state(self, batch: int, like: Tensor) -> Tensor:
        """[B, longest, N]: nothing is underway. ``like``: [..., N]."""
        return like.new_zeros(batch, self.longest, like.shape[-1])

    def arriving(self, u: Tensor, underway: Tensor, keep: Tensor | None) -> tuple[Tensor, Tensor]:
        """What arrives, [B, T, N], and what is underway after the last token.

        u: what is sent, [B, T, N]. underway: what was sent before, oldest first. keep: [B, T], 0 where a document begins.
        """
        steps, longest = u.shape[1], self.longest
        sent = torch.cat([underway.to(u.dtype), u], 1)
        channels = sent.tensor_split(longest + 1, -1)
        if keep is None:
            arriving = [part[:, longest - late : longest - late + steps] for late, part in enumerate(channels)]
            return torch.cat(arriving, -1), sent[:, steps:]
        whole = torch.cat([keep.new_ones(len(keep), longest), keep], 1).to(u.dtype)  # underway: of this document only
        arriving, since = [channels[0][:, longest:]], torch.ones_like(whole[:, longest:])
        for late in range(1, longest + 1):
            start = longest - late
            since = since * whole[:, start + 1 : start + 1 + steps]
            arriving.append(channels[late][:, start : start + steps] * since[..., None])
        last = whole[:, steps:].flip(1).cumprod(1).flip(1)
        last = torch.cat([last[:, 1:], torch.ones_like(last[:, :1])], 1)
        return torch.cat(arriving, -1), sent[:, steps:] * last[..., None]
