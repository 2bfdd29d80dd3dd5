"""Latch: a slot for the enzymes that decide whether a head writes, and how long what it wrote lasts."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from wetware.config import Config, ConfigError, number
from wetware.kernels import latch_scan, leaky_scan
from wetware.parameters import NEURON, filled, parameter, stacked
from wetware.plasticity.calcium import Calcium
from wetware.plasticity.half_life import half_life, share


@dataclass(frozen=True, kw_only=True)
class Latch(Config):
    """A slot for CaMKII m and PP1 p, both in [0, 1], of each head and sequence, driven by calcium z (:class:`Calcium` of the
    length of the value)::

        rise_t = potentiation sigmoid(steepness (z_t - high)),   fall_t = depression sigmoid(steepness (low - z_t))
        beta_t = beta0_t sigmoid(contrast (m_t - p_t)),           log g_t <- (1 - m_t) log g_t

    A head that is latched writes more, and forgets more slowly what it holds: working memory becomes longer memory. High
    calcium phosphorylates CaMKII and low calcium frees its phosphatase (Lisman, 1985); that a head of attention has such
    enzymes is an analogy, to be ablated. All fields are starting values, learned for each head.

    potentiation, depression: rates per token. high, low: of z, between which neither enzyme is driven. window: half life of the
    running statistics, in tokens.
    """

    abstract: ClassVar[bool] = True
    neutral: ClassVar[bool] = True

    potentiation: float = number(0.6, 0.0, 100.0, open_ends=True)
    depression: float = number(0.5, 0.0, 100.0, open_ends=True)
    high: float = number(1.0, -10.0, 10.0)
    low: float = number(-0.75, -10.0, 10.0)
    steepness: float = number(6.0, 0.0, 100.0, open_ends=True)
    contrast: float = number(6.0, 0.0, 100.0, open_ends=True)
    window: float = number(64.0, 1.0, 1e5)

    def check(self) -> None:
        if self.low >= self.high:
            raise ConfigError(f"{type(self).__name__}: low = {self.low:g} must lie below high = {self.high:g}")

    def build(self, *, heads: int) -> Enzymes:
        raise NotImplementedError


class EnzymeState(NamedTuple):
    """calcium: the sums of :class:`Calcium`, [B, H, 3]. enzymes: [B, 2, H], as the latch keeps them."""

    calcium: Tensor
    enzymes: Tensor


class Latched(NamedTuple):
    """camkii, pp1: m and p after each token, [B, T, H]. factor: what the write is multiplied with."""

    camkii: Tensor
    pp1: Tensor
    factor: Tensor
    state: EnzymeState


class Enzymes(nn.Module):
    """What all latches share; see :class:`Latch`."""

    potentiation: Tensor
    depression: Tensor
    steepness: Tensor
    contrast: Tensor

    def __init__(self, config: Latch, heads: int) -> None:
        super().__init__()
        self.calcium = Calcium(heads, config.window)
        self.high, self.low = (parameter(heads, draw=filled(z), role=NEURON) for z in (config.high, config.low))
        for name in ("potentiation", "depression", "steepness", "contrast"):  # as logarithms
            setattr(self, name, parameter(heads, draw=filled(math.log(getattr(config, name))), role=NEURON))

    def init_state(self, batch: int) -> EnzymeState:
        return EnzymeState(self.calcium.init_state(batch), self.high.new_zeros(batch, 2, len(self.high)))

    def rates(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """rise and fall [B, T, H] at calcium z."""
        steep = self.steepness.exp()
        rise = self.potentiation.exp() * torch.sigmoid(steep * (z - self.high))
        return rise, self.depression.exp() * torch.sigmoid(steep * (self.low - z))

    def forward(self, written: Tensor, state: EnzymeState, keep: Tensor) -> Latched:
        """written: root mean square of each value, [B, T, H]. keep: [B, T], 0 where a document starts."""
        z, calcium = self.calcium(written, state.calcium, keep)
        camkii, pp1, enzymes = self.walk(*self.rates(z), state.enzymes, keep)
        factor = torch.sigmoid(self.contrast.exp() * (camkii - pp1))
        return Latched(camkii, pp1, factor, EnzymeState(calcium, enzymes))

    @abstractmethod
    def walk(self, rise: Tensor, fall: Tensor, state: Tensor, keep: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """m and p [B, T, H] after each token, and what is kept of them."""


@dataclass(frozen=True, kw_only=True)
class LinearLatch(Latch):
    """Two leaky sums, the control of :class:`BistableLatch`: what they remember fades at one rate, whatever it is::

        m <- kept_m (m + (1 - exp(-rise)) (1 - m)),   p <- kept_p (p + (1 - exp(-fall)) (1 - p))

    half_life: of both at the start, in tokens.
    """

    half_life: float = number(16.0, 0.05, 1e5)

    def build(self, *, heads: int) -> LinearEnzymes:
        return LinearEnzymes(self, heads)


class LinearEnzymes(Enzymes):
    """See :class:`LinearLatch`."""

    def __init__(self, config: LinearLatch, heads: int) -> None:
        super().__init__(config, heads)
        self.half_life = half_life(2 * heads, config.half_life)

    def walk(self, rise: Tensor, fall: Tensor, state: Tensor, keep: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        left = torch.exp(-torch.cat([rise, fall], -1))
        kept = share(self.half_life, torch.ones_like(keep))
        reset = keep[..., None]
        # where a document starts, the enzymes rest, and then meet its first token
        sums = leaky_scan((kept * (1 - left))[..., None], kept * left * reset, state.flatten(1)[..., None]).squeeze(-1)
        m, p = sums.chunk(2, -1)
        return m, p, sums[:, -1].unflatten(-1, (2, -1))


@dataclass(frozen=True, kw_only=True)
class BistableLatch(Latch):
    """CaMKII that phosphorylates itself against PP1 that it holds down, the switch of Lisman and Zhabotinsky (2001); the
    equations are those of the op ``latch_scan``. At calcium between low and high there are two stable states: at rest (m = 0),
    and latched (m = 0.85 at the defaults). A burst takes it up, where it stays; a single token does not; low calcium takes it
    down.

    autophosphorylation, dephosphorylation, inhibition, recovery: rates per token. half: m of half autophosphorylation. basal:
    PP1 that is always active.
    """

    autophosphorylation: float = number(1.0, 0.0, 100.0, open_ends=True)
    half: float = number(0.6, 0.0, 1.0, open_ends=True)
    dephosphorylation: float = number(0.5, 0.0, 100.0, open_ends=True)
    basal: float = number(0.3, 0.0, 1.0, open_ends=True)
    inhibition: float = number(0.1, 0.0, 100.0, open_ends=True)
    recovery: float = number(0.02, 0.0, 100.0, open_ends=True)

    def build(self, *, heads: int) -> BistableEnzymes:
        return BistableEnzymes(self, heads)


KINETICS = ("autophosphorylation", "half", "dephosphorylation", "basal", "inhibition", "recovery")
SHARES = ("half", "basal")  # in (0, 1), the others positive


class BistableEnzymes(Enzymes):
    """See :class:`BistableLatch`."""

    shares: Tensor

    def __init__(self, config: BistableLatch, heads: int) -> None:
        super().__init__(config, heads)
        values = {name: getattr(config, name) for name in KINETICS}
        rows = [math.log(value / (1 - value) if name in SHARES else value) for name, value in values.items()]
        self.kinetics = parameter(len(rows), heads, draw=stacked(*map(filled, rows)), role=NEURON)
        places = torch.tensor([name in SHARES for name in KINETICS])
        self.register_buffer("shares", places[:, None], persistent=False)

    def constants(self) -> Tensor:
        """The kinetics [6, H] as the op takes them."""
        rows = self.kinetics
        return torch.where(self.shares, torch.sigmoid(rows), rows.exp())

    def walk(self, rise: Tensor, fall: Tensor, state: Tensor, keep: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        kinetics = self.constants()
        made = latch_scan(rise, fall, state, kinetics, keep)
        m, free = made.unbind(2)
        basal = kinetics[KINETICS.index("basal")]
        return m, basal + (1 - basal) * free, made[:, -1]
