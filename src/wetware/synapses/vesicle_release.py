"""Vesicle release: synapses that tire when they are asked again and again, and recover."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from wetware.config import number
from wetware.kernels import vesicle_scan
from wetware.kernels.vesicle_scan import KINETICS
from wetware.kernels.vesicle_scan.reference import RESERVE, RING, C, E, P, R, rest
from wetware.synapses.kinetics import (
    FREE,
    POSITIVE,
    QUARTER,
    SHARE,
    CalciumBuffer,
    Complexin,
    Doc2,
    Rates,
    Snare,
    SynapticEnergy,
    learned,
    together,
)
from wetware.synapses.sampling import Draws, Sampler, places
from wetware.synapses.synapse import Release, Transmission

LAMBDA = KINETICS.index("lam")
# What the rates are where their mechanism is absent: it does nothing then
ABSENT = {
    "kon": 0.0,
    "koff": 0.0,
    "k3": 1.0,
    "eta": 0.0,
    "rs": 0.0,
    "cs": 0.0,
    "x0": 0.5,
    "rx": 0.0,
    "cx": 0.0,
    "re": 0.0,
}
ABSENT["ce"] = 0.0


@dataclass(frozen=True, kw_only=True)
class VesicleRelease(Release):
    """Attention through vesicles: each (head, key) has a ready pool that every query draws from, by its score d::

        d <- d + lambda log((r E + floor) / (r_rested + floor))

    where r is what is released and r_rested what a rested synapse would release. So a rested synapse adds exactly nothing, a
    tired one less, one with calcium left over more. Calcium, sensors, pools, priming and the way back of the vesicles are told
    at :func:`wetware.kernels.vesicle_scan.reference.reference`; ``R + P + ring`` is conserved.

    threshold: score of half the largest influx. calcium: its time constant, in tokens. syt1, syt7: calcium at which the sensors
    are half open. gain: of synchronous release. priming: share of the reserve that becomes ready, per token. slowdown: heads
    are spaced evenly in the logarithm, the last primes this many times more slowly and releases by its square root less. delay:
    tokens until a vesicle is back. strength: lambda at the start; at 0 nothing is changed before training. All but the delay
    are learned, for each head. sampler: release is drawn, not its mean.

    What it is: an analogy, and inside a sequence a learned penalty on keys that were attended to. Its controls:
    :class:`FrequencyPenalty`, :class:`StaticRelease`. After Tsodyks and Markram, 1997; the form is ours.
    """

    neutral: ClassVar[bool] = True

    threshold: float = number(3.5, -100.0, 100.0)
    calcium: float = number(3.0, 0.0, 10_000.0, open_ends=True)
    syt1: float = number(0.8, 0.0, 100.0, open_ends=True)
    syt7: float = number(0.4, 0.0, 100.0, open_ends=True)
    gain: float = number(1.6, 0.0, 100.0, open_ends=True)
    priming: float = number(0.03, 0.0, 0.25, open_ends=True)
    slowdown: float = number(8.0, 1.0, 1000.0)
    delay: int = number(4, 1, 64)
    strength: float = number(0.0, -10.0, 10.0)
    floor: float = number(0.1, 0.0, 10.0, open_ends=True)
    buffer: CalciumBuffer | None = CalciumBuffer()
    doc2: Doc2 | None = Doc2()
    complexin: Complexin | None = Complexin()
    snare: Snare | None = Snare()
    energy: SynapticEnergy | None = SynapticEnergy()
    sampler: Sampler | None = None

    def build(self, *, heads: int, layer: int) -> Vesicles:
        return Vesicles(self, heads, layer)


class Vesicles(Transmission):
    """See :class:`VesicleRelease`. With a sampler the state has one more row, the last: the position of each key in its
    document."""

    def __init__(self, config: VesicleRelease, heads: int, layer: int) -> None:
        super().__init__()
        self.config, self.heads, self.layer = config, heads, layer
        slower = [config.slowdown ** (-head / max(heads - 1, 1)) for head in range(heads)]
        self.rates = Rates(
            heads,
            theta=(config.threshold, FREE),
            rho=(math.exp(-1.0 / config.calcium), SHARE),
            k1=(config.syt1, POSITIVE),
            k2=(config.syt7, POSITIVE),
            lam=(config.strength, FREE),
            eps=(config.floor, POSITIVE),
        )
        self.kappa = learned([config.gain * factor**0.5 for factor in slower], POSITIVE)
        self.k = learned([config.priming * factor for factor in slower], QUARTER)
        for name in ("buffer", "doc2", "complexin", "snare", "energy"):
            part = getattr(config, name)
            setattr(self, name, None if part is None else part.build(heads))

    def kinetics(self) -> Tensor:
        """The rates [19, H], in the order of ``KINETICS``."""
        found: dict[str, Any] = {"kappa": POSITIVE.forward(self.kappa), "k": QUARTER.forward(self.k)}
        parts: tuple[Any, ...] = (self.rates, self.buffer, self.doc2, self.complexin, self.snare, self.energy)
        found |= together(*(part for part in parts if part is not None))
        like = found["k"]
        return torch.stack([found[n] if n in found else torch.full_like(like, ABSENT[n]) for n in KINETICS])

    def init_state(self, batch: int) -> Tensor:
        rows = RING + self.config.delay + (self.config.sampler is not None)
        return self.k.new_zeros(batch, self.heads, rows, 0)

    def forward(self, scores: Tensor, state: Tensor, first: Tensor, time: int, tokens: Tensor) -> tuple[Tensor, Tensor]:
        if self.config.sampler is None:
            return vesicle_scan(scores, state, self.kinetics(), first, time=time, hidden=-torch.inf)
        return self.draw(self.config.sampler, scores, state, first, time, tokens)

    def draw(
        self, sampler: Sampler, scores: Tensor, state: Tensor, first: Tensor, time: int, tokens: Tensor
    ) -> tuple[Tensor, Tensor]:
        """``forward`` where release is drawn."""
        batch, heads, _, keys = scores.shape
        state, known = state[:, :, :-1], state[:, 0, -1].long()
        before = known[:, -1] if known.shape[1] else known.new_full((batch,), -1)
        place = places(first, before, keys)
        sample = Draws(sampler, self.layer, heads, place, tokens, keys)
        out, left = vesicle_scan(scores, state, self.kinetics(), first, time=time, hidden=-torch.inf, sample=sample)
        row = torch.cat([known, place], 1)[:, None, None].expand(-1, heads, 1, -1)
        return out, torch.cat([left, row.to(left.dtype)], 2)

    @torch.no_grad()
    def watch(self, scores: Tensor, first: Tensor) -> dict[str, Tensor]:
        """What happens at each (query, key) of a whole text, [B, H, T, T] as its scores are; NaN where a query does not look.

        ``release``: as it counts in the score, ``(r E + floor) / (r_rested + floor)``, whatever lambda is: 1 at rest, less when
        tired, more where calcium is left over. ``released``: r, of a full pool. ``ready`` and ``reserve`` pool, ``calcium``,
        ``energy``: as each query leaves them. ``shift``: of the score. Nothing is drawn: a sampler's mean is shown."""
        batch, _, steps, _ = scores.shape
        learned = self.kinetics()
        kinetics, strength = learned.clone(), learned[LAMBDA, :, None]
        kinetics[LAMBDA] = 1.0  # what happens to vesicles does not hang on it
        state = rest(kinetics, batch, 0, self.config.delay)
        names = ("release", "released", "ready", "reserve", "calcium", "energy", "shift")
        rows: dict[str, list[Tensor]] = {name: [] for name in names}
        for t in range(steps):
            asked = scores[:, :, t : t + 1, : t + 1]
            out, state = vesicle_scan(asked, state, kinetics, first[:, t : t + 1], time=t, hidden=torch.nan)
            counted = (out - asked)[:, :, 0]
            left = (state[:, :, row] for row in (RING + t % self.config.delay, R, P, C, E))
            for row, value in zip(rows.values(), (counted.exp(), *left, strength * counted), strict=True):
                shown = value.masked_fill(counted.isnan(), torch.nan)
                row.append(torch.nn.functional.pad(shown, (0, steps - t - 1), value=torch.nan))
        return {name: torch.stack(row, 2) for name, row in rows.items()}


def vesicles(state: Tensor) -> Tensor:
    """All vesicles of each key, ready, in reserve and on their way back: always ``1 + RESERVE``. state: that of the op,
    [B, H, 7 + delay, K], without the row that a sampler adds."""
    return state[:, :, R] + state[:, :, P] + state[:, :, RING:].sum(2)


FULL = 1.0 + RESERVE
