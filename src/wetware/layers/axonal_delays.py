"""Axonal delays: what a layer is driven by arrives over axons of different length."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wetware.config import Config, ConfigError


@dataclass(frozen=True, kw_only=True)
class AxonalDelays(Config):
    """The channels of a layer's input u arrive d tokens late, before they are weighed; an equal share of them for each d::

        u_n,t  <-  u_n,t - d,     d = late[0] for the first N / len(late) channels, late[1] for the next, and so on

    so that a layer sees, beside the present token, exactly what stood d tokens ago, which leaky membranes know only mixed.
    Nothing is computed and nothing learned: what a channel carries is learned by the layers before it. State: the last
    ``max(late)`` inputs. No input crosses the start of a document.

    late: tokens, each at most once, in any order. Conduction delays of a spread are what lets spiking networks tell orders
    (Izhikevich, 2006; learned: Hammouamri and others, 2024); in language models a shift by one token does the same (Peng and
    others, RWKV, 2023). An analogy to axons.
    """

    late: tuple[int, ...] = (0, 1)

    def check(self) -> None:
        if not self.late or len(set(self.late)) < len(self.late) or not all(0 <= d <= 1000 for d in self.late):
            raise ConfigError(f"AxonalDelays.late = {self.late}: expected different numbers of tokens from 0 to 1000")

    def of_channels(self, size: int) -> Tensor:
        """By how many tokens each of ``size`` channels is late, [N]."""
        parts = torch.arange(size).tensor_split(len(self.late))
        return torch.cat([torch.full_like(part, late) for part, late in zip(parts, self.late, strict=True)])

    def init_state(self, batch: int, like: Tensor) -> Tensor:
        """[B, max(late), N]: nothing is underway. ``like``: [..., N]."""
        return like.new_zeros(batch, max(self.late), like.shape[-1])

    def arriving(self, u: Tensor, underway: Tensor, keep: Tensor | None) -> tuple[Tensor, Tensor]:
        """What arrives, [B, T, N], and what is underway after the last token.

        u: what is sent, [B, T, N]. underway: what was sent before, oldest first. keep: [B, T], 0 where a document begins.
        """
        steps, longest = u.shape[1], underway.shape[1]
        sent = torch.cat([underway.to(u.dtype), u], 1)
        channels = zip(sent.tensor_split(len(self.late), -1), self.late, strict=True)
        if keep is None:
            arriving = [part[:, longest - late : longest - late + steps] for part, late in channels]
            return torch.cat(arriving, -1), sent[:, steps:]
        # which document of its row a token is of; what is underway is of the one that goes on
        document = torch.nn.functional.pad((keep == 0).cumsum(1), (longest, 0))
        arriving = []
        for part, late in channels:
            same = document[:, longest - late : longest - late + steps] == document[:, longest:]
            arriving.append(part[:, longest - late : longest - late + steps] * same[..., None])
        last = document[:, steps:] == document[:, -1:]
        return torch.cat(arriving, -1), sent[:, steps:] * last[..., None]
