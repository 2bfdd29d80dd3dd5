"""Sampling: release that is drawn, vesicle by vesicle, by noise that belongs to the text and to nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from wetware.config import Config, number
from wetware.hashing import GOLDEN, LONG, ODD, OTHER, WORD, mix32, mix64
from wetware.kernels.vesicle_scan.drawing import Drawing, Way


@dataclass(frozen=True, kw_only=True)
class Sampler(Config):
    """A slot for how release is drawn. What is released of a ready pool R, each vesicle with probability p, becomes a sample of
    mean ``r = R p`` (over seeds, at given R and p) that is never below 0 nor above R.

    share: of the (head, query) rows that are drawn; the others release r. vesicles: N, how many a full pool holds; more make
    less noise. seed: of the noise, which is a hash of (seed, layer, head, position of query and key in their document, token
    of the query): the same text has the same noise in training and generation, in any chunks, beside any other sequences.

    The numba backend draws too, the same numbers, where float32 does. Of 4 heads and 256 tokens, one thread: forward takes 2.2
    (normal), 1.6 (straight through) and 3.6 (Gumbel) times as long as without draws, the reference 30, 45 and 25 times as long
    as the backend; with backward 65, 55 and 40. Triton does not draw yet: on a GPU the reference serves.
    With a strength other than 0 a rested synapse adds noise, not nothing.
    """

    abstract: ClassVar[bool] = True
    neutral: ClassVar[bool] = True
    way: ClassVar[Way | None] = None
    """Under which compiled loops know ``draw``, or None: then the reference alone can run."""

    share: float = number(1.0, 0.0, 1.0)
    vesicles: int = number(5, 1, 1000)
    seed: int = number(0, 0, 2**31)

    def uniforms(self) -> int:
        """How many numbers each (query, key) needs."""
        return self.vesicles

    def draw(self, p: Tensor, ready: Tensor, u: Tensor) -> Tensor:
        """Released [B, H, K], of probability and ready pool [B, H, K] and uniform numbers in (0, 1), [B, H, K, uniforms]."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class NormalSample(Sampler):
    """``r + sqrt(r (R - r) / N) z``, z normal: mean and variance of N vesicles of size R / N. What lies beyond min(r, R - r) is
    cut, on both sides alike, so that the mean stays. Gradients run through r and the deviation (Kingma and Welling, 2014)."""

    way: ClassVar[Way | None] = Way.NORMAL

    def uniforms(self) -> int:
        return 1

    def draw(self, p: Tensor, ready: Tensor, u: Tensor) -> Tensor:
        released = ready * p
        # a root has no slope at 0
        deviation = (released * (ready - released) / self.vesicles).clamp_min(1e-12).sqrt()
        noise = deviation * math.sqrt(2.0) * torch.erfinv(2 * u[..., 0] - 1)
        most = torch.minimum(released, ready - released)
        drawn = released + torch.minimum(torch.maximum(noise, -most), most)
        return torch.minimum(drawn, ready).clamp_min(0.0)  # but for rounding it is there already


@dataclass(frozen=True, kw_only=True)
class StraightThrough(Sampler):
    """N vesicles of size R / N, each let go with probability p; backward knows only the mean r (Bengio et al., 2013)."""

    way: ClassVar[Way | None] = Way.STRAIGHT

    def draw(self, p: Tensor, ready: Tensor, u: Tensor) -> Tensor:
        released = ready * p
        drawn = ready * (u < p[..., None]).to(p.dtype).mean(-1)
        return drawn.detach() + (released - released.detach())


@dataclass(frozen=True, kw_only=True)
class GumbelSample(Sampler):
    """N vesicles of size R / N, each let go with probability p; backward sees, instead of each choice,
    ``sigmoid((logit p + logistic noise) / temperature)`` of the same noise (Jang et al., 2017; Maddison et al., 2017)."""

    way: ClassVar[Way | None] = Way.GUMBEL

    temperature: float = number(1.0, 0.0, 100.0, open_ends=True)

    def draw(self, p: Tensor, ready: Tensor, u: Tensor) -> Tensor:
        p = p.clamp(1e-6, 1 - 1e-6)[..., None]  # a logit is finite
        score = torch.log(p) - torch.log1p(-p) + torch.log(u) - torch.log1p(-u)
        soft = torch.sigmoid(score / self.temperature)
        chosen = (score > 0).to(p.dtype) + (soft - soft.detach())
        return ready * chosen.mean(-1)


class Draws:
    """The draws of one chunk, a ``sample`` for ``vesicle_scan``. places, tokens: [B, Q], of the queries; K keys in reach, the
    last Q of which are their own."""

    def __init__(self, config: Sampler, layer: int, heads: int, places: Tensor, tokens: Tensor, keys: int) -> None:
        self.config, self.keys, self.queries = config, keys, places.shape[1]
        start = _apart(_apart(config.seed) + layer)
        row = mix32((mix32((places ^ (start & WORD)) & WORD) + tokens) & WORD)
        head = torch.arange(heads, device=places.device)
        self.rows = mix32((row[:, None] + (start >> 32) + head[:, None] * ODD) & WORD)  # [B, H, Q]

    @property
    def drawing(self) -> Drawing | None:
        """The same draws in numbers, for a backend."""
        config = self.config
        if config.way is None:
            return None
        return Drawing(self.rows, config.way, config.vesicles, getattr(config, "temperature", 1.0), config.share)

    def __call__(self, p: Tensor, ready: Tensor, query: int) -> Tensor:
        """What query number ``query`` of the chunk gets released, of p and R [B, H, K]."""
        row = self.rows[:, :, query, None]
        # place of the key less place of the query, which neither chunks nor what was dropped can change
        distance = self.keys - self.queries + query - torch.arange(self.keys, device=row.device)
        pair = mix32((row + (distance + 1) * ODD) & WORD)[..., None]
        drawn = self.config.draw(p, ready, _uniform(pair, self.config.uniforms(), p.dtype))
        if self.config.share == 1.0:
            return drawn
        chosen = _uniform(row, 1, p.dtype) < self.config.share
        return torch.where(chosen, drawn, ready * p)


def places(first: Tensor, before: Tensor, keys: int) -> Tensor:
    """The position of each query in its document, [B, Q]. first: [B, Q], the oldest of K keys that it sees. before: [B], that
    of the token before the chunk, -1 where there is none."""
    number = torch.arange(first.shape[1], device=first.device)
    starts = first == number + (keys - first.shape[1])  # who sees only itself begins
    latest = torch.where(starts, number, -1).cummax(1).values
    return torch.where(latest >= 0, number - latest, before[:, None] + 1 + number)


def _uniform(hashed: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """Numbers in (0, 1) of hashes [..., 1], [..., count]; 23 bits, of which float32 makes neither 0 nor 1."""
    more = torch.arange(1, count + 1, device=hashed.device) * OTHER
    return ((mix32((hashed + more) & WORD) >> 9).to(dtype) + 0.5) / 2.0**23


def _apart(z: int) -> int:
    return mix64((z + GOLDEN) & LONG)
