"""What the plain recurrent models share: everything but the cell."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from wetware.config import number
from wetware.kernels import rms_norm
from wetware.layers import CurrentEncoder, TiedReadout
from wetware.models.language_model import LanguageModel, ModelConfig, Output, checked_tokens
from wetware.modulation import NEUTRAL, Signals
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import NEURON, Draw, filled, normal, orthogonal, parameter, stacked
from wetware.state import State, tree_map


@dataclass(frozen=True, kw_only=True)
class Recurrent(ModelConfig):
    """A slot for a plain recurrent model: token table -> linear -> ``x + cell(rms_norm(x))``, ``depth`` times -> tied readout.

    Normalised input and a sum past each layer are what lets recurrent layers be stacked (residual: Wu et al., GNMT, 2016;
    before the layer, without parameters: as in :class:`~wetware.models.GPT` here). Table, projection and readout are those
    of Real Sam with its real-valued code, so that a comparison with it is one of what happens between them.

    embedding: numbers in a token's vector. State: what the cells hold, the same size at every token.
    """

    abstract: ClassVar[bool] = True

    width: int = number(256, 1)
    depth: int = number(2, 1)
    embedding: int = number(128, 1)

    def module(self) -> RecurrentModel:
        return RecurrentModel(self)

    def cell(self) -> RecurrentLayer:
        """One layer, before its parameters are drawn."""
        raise NotImplementedError


class RecurrentState(NamedTuple):
    """What the cells of each layer hold."""

    layers: tuple[State, ...]


class RecurrentLayer(nn.Module, Counted):
    """``gates`` maps of the input and of the layer's own last output, kept in one matrix each: ``W`` [gates * N, N], rows in
    PyTorch's order. Recurrent weights start orthogonal, so that what circulates neither grows nor fades (Saxe et al., 2014).

    One bias: PyTorch's second one, which but for the candidate of a GRU is added to the same sum, is given as zeros.
    """

    gates: ClassVar[int]
    input_weight: Tensor
    recurrent_weight: Tensor

    def __init__(self, size: int, bias: Draw | None = None) -> None:
        super().__init__()
        self.size, rows = size, self.gates * size
        self.input_weight = parameter(rows, size, draw=normal(size**-0.5))
        self.recurrent_weight = parameter(rows, size, draw=stacked(*[orthogonal(1.0)] * self.gates))
        self.bias = parameter(rows, draw=bias or filled(0.0), role=NEURON)

    @abstractmethod
    def init_state(self, batch: int) -> State:
        """The state of ``batch`` sequences that have read nothing."""

    @abstractmethod
    def walk(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        """Outputs [B, T, N] of a piece of text in which no document starts, by PyTorch's own kernel, and the state after it."""

    def forward(self, x: Tensor, state: State, pieces: Pieces) -> tuple[Tensor, State]:
        outputs = []
        for (first, stop), keep in zip(pairwise(pieces.edges), pieces.keep, strict=True):
            if keep is not None:
                state = tree_map(lambda held, keep=keep: held * keep.to(held.dtype), state)
            output, state = self.walk(x[:, first:stop], state)
            outputs.append(output)
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, 1), state

    def operations(self, work: Workload) -> Iterator[Operation]:
        for name, weight in (("input", self.input_weight), ("recurrent", self.recurrent_weight)):
            yield Operation(name, self.size, self.gates * self.size, weights=(weight,))

    def weights(self) -> list[Tensor]:
        """As PyTorch's recurrent kernels take them."""
        return [self.input_weight, self.recurrent_weight, self.bias, torch.zeros_like(self.bias)]

    def zeros(self, batch: int) -> Tensor:
        return self.input_weight.new_zeros(batch, self.size)


class Pieces(NamedTuple):
    """A chunk cut where a document starts in any row: kernels that walk a whole piece know no boundaries.

    edges: where pieces start, and the chunk's end. keep: for each piece [B, 1], False where its first token starts a document;
    None where all rows go on.
    """

    edges: tuple[int, ...]
    keep: tuple[Tensor | None, ...]

    @staticmethod
    def of(tokens: Tensor, boundary: int | None) -> Pieces:
        steps = tokens.shape[1]
        starts = tokens == (-1 if boundary is None else boundary)
        places = starts.any(0).nonzero()[:, 0].tolist()
        firsts = places if places[:1] == [0] else [0, *places]
        keep = [~starts[:, place, None] if place in places else None for place in firsts]
        return Pieces((*firsts, steps), tuple(keep))


class RecurrentModel(LanguageModel):
    """See :class:`Recurrent`."""

    def __init__(self, config: Recurrent) -> None:
        super().__init__()
        self.config: Recurrent = config
        self.encoder = CurrentEncoder(bits=config.embedding).build(vocab_size=config.vocab_size, width=config.width)
        self.layers: Any = nn.ModuleList(config.cell() for _ in range(config.depth))
        self.readout = TiedReadout(config.width, config.embedding)

    def init_state(self, batch: int) -> RecurrentState:
        return RecurrentState(tuple(layer.init_state(batch) for layer in self.layers))

    def forward(self, tokens: Tensor, state: Any = None, *, signals: Signals = NEUTRAL) -> Output:
        tokens = checked_tokens(tokens, self.vocab_size)
        state = self.init_state(len(tokens)) if state is None else state
        pieces = Pieces.of(tokens, self.config.boundary)
        x, after = self.encoder(tokens), []
        for layer, before in zip(self.layers, state.layers, strict=True):
            update, held = layer(rms_norm(x), before, pieces)
            x = x + update
            after.append(held)
        logits = self.readout(x, self.encoder.table)
        return Output(logits.to(torch.promote_types(logits.dtype, torch.float32)), RecurrentState(tuple(after)))
