"""GPT: the plain transformer that every claim is measured against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from wetware.config import Config, ConfigError, number
from wetware.kernels import rms_norm
from wetware.layers import KV, MLP, Linear, SelfAttention
from wetware.layers.attention import Span
from wetware.layers.residual import Passed, ResidualStream, Stack
from wetware.models.language_model import LanguageModel, ModelConfig, Output, checked_tokens
from wetware.modulation import NEUTRAL, Signals
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import EMBEDDING, normal, parameter


@dataclass(frozen=True, kw_only=True)
class Head(Config):
    """A slot for the output layer."""

    abstract: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class TiedHead(Head):
    """Logits are products with the token table itself."""


@dataclass(frozen=True, kw_only=True)
class UntiedHead(Head):
    """Logits have a matrix of their own."""


@dataclass(frozen=True, kw_only=True)
class Softcap(Config):
    """``cap * tanh(logits / cap)``: no logit beyond ``cap`` (Gemma 2, 2024)."""

    cap: float = number(15.0, 0.0, open_ends=True)

    def __call__(self, logits: Tensor) -> Tensor:
        return self.cap * torch.tanh(logits / self.cap)


@dataclass(frozen=True, kw_only=True)
class GPT(ModelConfig):
    """A decoder-only transformer (Radford et al., 2018; the modern plain form): RMSNorm without parameters before each part,
    RoPE, normalised queries and keys, relu^2 MLP, logit softcap. State: keys and values."""

    width: int = number(256, 2)
    depth: int = number(6, 1)
    attention: SelfAttention = SelfAttention()
    expansion: float = number(4.0, 0.01)
    head: Head = TiedHead()
    softcap: Softcap | None = Softcap()

    def check(self) -> None:
        super().check()
        if self.width % (2 * self.attention.heads):
            heads = self.attention.heads
            raise ConfigError(
                f"GPT: width = {self.width} must be a multiple of 2 * heads = {2 * heads} (RoPE turns pairs)"
            )

    def module(self) -> TransformerModel:
        return TransformerModel(self)

    def block(self, layer: int) -> nn.Module:
        """The part at that place of the stack."""
        return TransformerBlock(self)

    def stack(self) -> Stack:
        """How the blocks are joined."""
        return ResidualStream().build(depth=self.depth)

    @classmethod
    def tiny(cls) -> GPT:
        return cls(vocab_size=67, boundary=0, width=32, depth=2, attention=SelfAttention(heads=2, window=12))


class GPTState(NamedTuple):
    """What each layer keeps (keys and values), how many tokens were read [B] and where the present document began [B]."""

    layers: tuple[Any, ...]
    length: Tensor
    document: Tensor


class TransformerBlock(nn.Module):
    """``x + attention(norm(x))``, then ``x + mlp(norm(x))``."""

    def __init__(self, config: GPT) -> None:
        super().__init__()
        self.attention = config.attention.build(width=config.width, depth=config.depth)
        self.mlp = MLP(config.width, config.expansion, config.depth)

    def init_state(self, batch: int) -> KV:
        return KV((), ())

    def forward(self, x: Tensor, state: KV, span: Span) -> Passed:
        mixed, state = self.attention(rms_norm(x), state, span)
        x = x + mixed
        return Passed(x + self.mlp(rms_norm(x)), state)


class TransformerModel(LanguageModel, Counted):
    """See :class:`GPT`."""

    def __init__(self, config: GPT) -> None:
        super().__init__()
        self.config: GPT = config
        self.table = parameter(config.vocab_size, config.width, draw=normal(0.02), role=EMBEDDING)
        self.blocks: Any = nn.ModuleList(map(config.block, range(config.depth)))
        self.residual = config.stack()
        if isinstance(config.head, UntiedHead):
            self.head = Linear(config.width, config.vocab_size, scale=0.1)

    def init_state(self, batch: int) -> GPTState:
        zeros = torch.zeros(batch, dtype=torch.long, device=self.table.device)
        return GPTState(tuple(block.init_state(batch) for block in self.blocks), zeros, zeros.clone())

    def operations(self, work: Workload) -> Iterator[Operation]:
        """The head alone: blocks tell their own, and looking a row up computes nothing."""
        tied = not isinstance(self.config.head, UntiedHead)
        weights = (self.table,) if tied else (self.table, self.head.weight)
        yield Operation("head", self.config.width, self.vocab_size, weights=weights)

    def forward(self, tokens: Tensor, state: Any = None, *, signals: Signals = NEUTRAL) -> Output:
        tokens = checked_tokens(tokens, self.vocab_size)
        state = self.init_state(len(tokens)) if state is None else state
        span, document = self._span(tokens, state, signals)
        x, passed = self.residual(self.blocks, rms_norm(self.table[tokens]), state.layers, span)
        layers, losses, evidence = [], {}, {}
        for index, part in enumerate(passed):
            layers.append(part.state)
            losses |= {f"{name}/{index}": loss for name, loss in part.losses.items()}
            evidence |= {f"blocks.{index}.{name}": told for name, told in part.evidence.items()}
        x = rms_norm(x)
        logits = self.head(x) if isinstance(self.config.head, UntiedHead) else x @ self.table.T
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        if self.config.softcap:
            logits = self.config.softcap(logits)
        left = GPTState(tuple(layers), state.length + tokens.shape[1], document)
        return Output(logits, left, losses=losses, evidence=evidence)

    def _span(self, tokens: Tensor, state: GPTState, signals: Signals) -> tuple[Span, Tensor]:
        """Where the chunk stands. All sequences of a batch have read the same number of tokens; their documents differ."""
        before = int(state.length[0])
        positions = (before + torch.arange(tokens.shape[1], device=tokens.device)).expand_as(tokens)
        oldest = state.document[:, None].expand_as(tokens)
        if self.config.boundary is not None:
            starts = torch.where(tokens == self.config.boundary, positions, oldest)
            oldest = starts.cummax(1).values
        return Span(positions, oldest, before, tokens, signals), oldest[:, -1].clone()
