"""What reads a text along one direction, and the two ways to give a character its right-hand context."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from wetware.config import Config, number
from wetware.kernels import rms_norm
from wetware.layers import AxonalDelays, InputGate, SpikingBlock
from wetware.models.calibration import scale_until
from wetware.models.gru import GRULayer
from wetware.models.recurrent import Pieces
from wetware.modulation import NEUTRAL
from wetware.neurons import LIF, Activity, LogSpacedDecay
from wetware.state import State


class Read(NamedTuple):
    """What a layer made of a stretch of text: what it adds to the stream [B, T, width], what it shows the readout
    [B, T, width], the activity of its neurons (none of a layer without), and its state after the last character."""

    update: Tensor
    shown: Tensor
    activity: tuple[Activity, ...]
    state: State


class Layer(nn.Module):
    """One layer of one direction."""

    @abstractmethod
    def init_state(self, batch: int) -> State:
        """Of ``batch`` texts that nobody has begun to read."""

    @abstractmethod
    def forward(self, x: Tensor, state: State) -> Read:
        """x: the stream, [B, T, width], in the order of reading."""

    def calibrate(self, x: Tensor, rate: float) -> None:
        """Make the neurons fire at ``rate`` on ``x``. A layer without neurons has nothing to do."""


@dataclass(frozen=True, kw_only=True)
class Cell(Config):
    """A slot for the layers of a tagger."""

    abstract: ClassVar[bool] = True

    def build(self, *, width: int, depth: int) -> Layer:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SpikingCell(Cell):
    """Real Sam's block, with time constants of a few characters and half of each layer's inputs a character late: where an
    entity begins and ends is a matter of which character stood just before. The readout is shown ``tanh`` of the membranes
    before their reset: real numbers, where a spike has two levels."""

    block: SpikingBlock = SpikingBlock(
        neuron=LIF(decay=LogSpacedDecay(shortest=0.3, longest=8.0)), gate=InputGate(rank=32), delays=AxonalDelays()
    )

    def build(self, *, width: int, depth: int) -> Layer:
        return _Spiking(self.block, width, depth)


class _Spiking(Layer):
    def __init__(self, block: SpikingBlock, width: int, depth: int) -> None:
        super().__init__()
        self.block = block.build(width=width, depth=depth)

    def init_state(self, batch: int) -> State:
        return self.block.init_state(batch)

    def forward(self, x: Tensor, state: State) -> Read:
        after, activity, state = self.block(x, state, NEUTRAL, None)
        return Read(after - x, activity.membrane.tanh(), (activity,), state)

    def calibrate(self, x: Tensor, rate: float) -> None:
        state = self.init_state(len(x))
        scale_until(self.block.fc_in.weight, lambda: self.block(x, state, NEUTRAL, None)[1], rate)


@dataclass(frozen=True, kw_only=True)
class GRUCell(Cell):
    """Gated recurrent units on the normalised stream (:class:`wetware.models.GRU`): the baseline of :class:`SpikingCell`."""

    def build(self, *, width: int, depth: int) -> Layer:
        return _GRU(width)


class _GRU(Layer):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gru = GRULayer(width)

    def init_state(self, batch: int) -> State:
        return self.gru.init_state(batch)

    def forward(self, x: Tensor, state: State) -> Read:
        output, state = self.gru(rms_norm(x), state, Pieces((0, x.shape[1]), (None,)))
        return Read(output, output, (), state)


# ------------------------------------------------------------------------------------------------------------- directions


@dataclass(frozen=True, kw_only=True)
class Context(Config):
    """A slot for how a character gets to know what stands to its right."""

    abstract: ClassVar[bool] = True
    ways: ClassVar[int]  # how many layers stand side by side

    @property
    def lag(self) -> int:
        """So many characters after a character its tag is known."""
        return 0

    def turned(self, x: Tensor, lengths: Tensor, way: int) -> Tensor:
        """x, [B, T, ...], in the order in which that way reads it; turned twice it is as it was."""
        return x


@dataclass(frozen=True, kw_only=True)
class BothWays(Context):
    """Each layer is two: one reads the text, one reads it from its end, and both add to one stream (Schuster and Paliwal,
    1997). The whole text must be there."""

    ways: ClassVar[int] = 2

    def turned(self, x: Tensor, lengths: Tensor, way: int) -> Tensor:
        if way == 0:
            return x
        places = torch.arange(x.shape[1], device=x.device)
        order = torch.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)
        return x[torch.arange(len(x), device=x.device)[:, None], order]


@dataclass(frozen=True, kw_only=True)
class Delayed(Context):
    """One way, and the tag of a character is told ``delay`` characters after it: a tagger for streams, whose memory is its
    state. After the end of a text, ``delay`` signs of no text are read. Layers that know exactly which character stood
    ``delay`` ago tell better where an entity ends: give them inputs that come so late
    (:class:`wetware.layers.AxonalDelays`). wait: so many characters more are heard before a tag is decided
    (:class:`~wetware.tagging.decoding.FixedLag`)."""

    ways: ClassVar[int] = 1

    delay: int = number(8, 0, 1000)
    wait: int = number(24, 0, 1000)

    @property
    def lag(self) -> int:
        return self.delay


class Layered(NamedTuple):
    """What all layers made of a text. features: [B, T, features], in the order of the text."""

    features: Tensor
    activity: tuple[Activity, ...]
    state: tuple[Any, ...]


class Layers(nn.Module):
    """``depth`` layers on one stream: ``x <- x + sum over ways of update(x)``. The features are the stream, normalised, and
    what the last layer of each way shows."""

    def __init__(self, cell: Cell, context: Context, width: int, depth: int) -> None:
        super().__init__()
        self.context = context
        self.layers: Any = nn.ModuleList(
            nn.ModuleList(cell.build(width=width, depth=depth) for _ in range(context.ways)) for _ in range(depth)
        )
        self.features = width * (1 + context.ways)

    def init_state(self, batch: int) -> tuple[Any, ...]:
        return tuple(tuple(layer.init_state(batch) for layer in ways) for ways in self.layers)

    def forward(self, x: Tensor, lengths: Tensor, state: tuple[Any, ...]) -> Layered:
        shown: list[Tensor] = []
        activities, states = [], []
        for ways, before in zip(self.layers, state, strict=True):
            shown, updates, after = [], [], []
            for way, (layer, held) in enumerate(zip(ways, before, strict=True)):
                read = layer(self.context.turned(x, lengths, way), held)
                updates.append(self.context.turned(read.update, lengths, way))
                shown.append(self.context.turned(read.shown, lengths, way))
                activities += [
                    Activity(*(self.context.turned(part, lengths, way) for part in activity))
                    for activity in read.activity
                ]
                after.append(read.state)
            x = x + sum(updates)
            states.append(tuple(after))
        return Layered(torch.cat([rms_norm(x), *shown], -1), tuple(activities), tuple(states))

    @torch.no_grad()
    def calibrate(self, x: Tensor, lengths: Tensor, rate: float) -> None:
        """Layer by layer, until the neurons of each fire at ``rate`` (see :meth:`wetware.models.LanguageModel.calibrate`)."""
        for ways in self.layers:
            for way, layer in enumerate(ways):
                layer.calibrate(self.context.turned(x, lengths, way), rate)
            reads = [
                layer(self.context.turned(x, lengths, way), layer.init_state(len(x))) for way, layer in enumerate(ways)
            ]
            x = x + sum(self.context.turned(read.update, lengths, way) for way, read in enumerate(reads))
