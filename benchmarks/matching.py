"""Who is compared: Real Sam or SpikeWhale at a size, peers with as many parameters, and plain PyTorch for our backends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import wetware
from wetware.config import snake
from wetware.kernels import OPS
from wetware.models import LanguageModel, ModelConfig, Output, RealSam, SpikeWhale
from wetware.models.real_sam import RealSamModel, RealSamState
from wetware.modulation import NEUTRAL, Signals
from wetware.parameters import EMBEDDING, initialize, normal, parameter
from wetware.recipes.spikewhale import SMALL_TRAITS
from wetware.training import Run

BOUNDARY = 0  # the token that starts a document
# The sizes of Real Sam by name: width, depth; the vocabulary is that of the recipe.
SIZES = {"real_sam": (512, 6), "spikewhale-size": (1488, 4)}
WHALES = ("spikewhale_1m", "spikewhale_6m", "spikewhale_20m")  # recipes
TRAITS = {snake(type(trait).__name__): trait for trait in SMALL_TRAITS}


@contextlib.contextmanager
def eager() -> Generator[None]:
    """Every op by its reference, which is plain PyTorch. Attention is left alone: PyTorch has its own fused one."""
    with contextlib.ExitStack() as stack:
        for name, op in OPS.items():
            if name != "attention":
                stack.enter_context(op.using("reference"))
        yield


class Setting(NamedTuple):
    """What is trained on what."""

    width: int
    depth: int
    vocabulary: int
    batch: int
    chunk: int

    def sam(self) -> Run:
        run = sized(self.width, self.depth, self.vocabulary)
        return replace(run, training=replace(run.training, batch=self.batch, chunk=self.chunk))

    def gpt(self) -> ModelConfig:
        return gpt_beside(self.sam().model)

    def parameters(self) -> int:
        return count(self.sam().model)


def sized(width: int, depth: int, vocabulary: int) -> Run:
    """The recipe of Real Sam at another size."""
    run = wetware.recipe("real_sam").fitted(vocabulary, BOUNDARY)
    assert isinstance(run.model, RealSam)
    return replace(run, model=replace(run.model, width=width, depth=depth))


def whale(name: str, width: int | None, depth: int | None, vocabulary: int | None, traits: Sequence[str]) -> SpikeWhale:
    """The recipe ``name`` of SpikeWhale, at another size where one is given (token vectors keep their share of the width), with
    these traits of :data:`TRAITS`."""
    run = wetware.recipe(name)
    model: Any = run.fitted(vocabulary or run.model.vocab_size, BOUNDARY).model
    share = model.embedding / model.width
    wide = width or model.width
    chosen = tuple(TRAITS[trait] for trait in traits)
    return replace(model, width=wide, depth=depth or model.depth, embedding=round(share * wide), traits=chosen)


def layers(of: Any) -> Any:
    """The layers of neurons of a Real Sam or a SpikeWhale, or their states in its own."""
    return of.blocks if isinstance(of, (RealSamModel, RealSamState)) else of.layers


def count(config: ModelConfig) -> int:
    """The number of its parameters."""
    with torch.device("meta"):  # shapes without memory
        return config.module().parameter_count()


def gpt_beside(config: Any) -> ModelConfig:
    """The recipe ``gpt`` as it is where it is made for this Real Sam, else as deep, of the width that has the nearest number of
    parameters."""
    model: Any = replace(wetware.recipe("gpt").model, vocab_size=config.vocab_size, boundary=config.boundary)
    if config == wetware.recipe("real_sam").fitted(wetware.GPT().vocab_size, config.boundary).model:
        return model
    step = 2 * model.attention.heads
    width = matched(lambda width: replace(model, width=width, depth=config.depth).module(), count(config), step)
    return replace(model, width=width, depth=config.depth)


def recurrent_beside(config: ModelConfig, kind: str, seed: int) -> RecurrentLM:
    """Two layers of ``nn.LSTM`` or ``nn.GRU``, of the width that has the nearest number of parameters."""
    make = partial(RecurrentLM, getattr(nn, kind.removeprefix("nn.")), 2, config.vocab_size)
    torch.manual_seed(seed)
    return make(matched(make, count(config), 8))


class RecurrentLM(LanguageModel):
    """Token table -> recurrent layers of the table's width -> products with the table. Documents are not told apart."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU], depth: int, vocabulary: int, width: int) -> None:
        super().__init__()
        self.table = parameter(vocabulary, width, draw=normal(0.05), role=EMBEDDING)
        self.layers = kind(width, width, depth, batch_first=True)
        initialize(self, seed=0)

    @property
    def vocab_size(self) -> int:
        return len(self.table)

    def init_state(self, batch: int) -> Any:
        zeros = torch.zeros(self.layers.num_layers, batch, self.layers.hidden_size)
        return (zeros, zeros.clone()) if isinstance(self.layers, nn.LSTM) else zeros

    def forward(self, tokens: Tensor, state: Any = None, *, signals: Signals = NEUTRAL) -> Output:
        hidden, state = self.layers(self.table[tokens], self.init_state(len(tokens)) if state is None else state)
        return Output(hidden @ self.table.T, state)


def matched(make: Callable[[int], LanguageModel], parameters: int, multiple: int) -> int:
    """The width, a multiple of ``multiple``, whose model has the number of parameters nearest to ``parameters``."""

    def made(units: int) -> int:
        with torch.device("meta"):
            return make(units * multiple).parameter_count()

    low, high = 1, 2
    while made(high) < parameters:
        high *= 2
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if made(middle) < parameters else (low, middle)
    return multiple * min((low, high), key=lambda units: abs(made(units) - parameters))
