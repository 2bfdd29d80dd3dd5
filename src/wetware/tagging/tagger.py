"""Taggers: from a text to the private data in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from wetware.config import Config, number
from wetware.layers import CurrentEncoder, Encoder, Linear
from wetware.models.language_model import FiringTarget, checked_tokens
from wetware.neurons import Activity
from wetware.parameters import NEURON, constant, filled, initialize, parameter
from wetware.state import State
from wetware.tagging.characters import PAD, TOKENS, encode
from wetware.tagging.decoding import LEGAL, FixedLag, viterbi
from wetware.tagging.encoders import BothWays, Cell, Context, Delayed, Layers, SpikingCell
from wetware.tagging.entities import TAGS, Span, spans_of

RARE = 0.01  # times that a pair of tags counts as seen without having been
WORK = 32_768  # characters, with their padding, that are tagged at once


class Finder(Protocol):
    """What finds private data: a network or rules."""

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """The entities of each text, in order, without overlap."""
        ...


class Tagged(NamedTuple):
    """What a tagger says of texts. logits: [B, T, tags]. state: after the last token. activity and losses: as in
    :class:`wetware.models.Output`, of the text without its padding."""

    logits: Tensor
    state: State
    activity: tuple[Activity, ...] = ()
    losses: Mapping[str, Tensor] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class CountedTransitions(Config):
    """Decoding adds ``weight log P(tag | tag before)``, counted in training texts, to the scores: an entity that has begun goes
    on more often than it ends at the next character. At weight 1 tags are a Markov chain that the network speaks about
    (Bourlard and Morgan, 1994). Without it a tag has to be legal after the last, and no more."""

    weight: float = number(1.0, 0.0, 10.0)


@dataclass(frozen=True, kw_only=True)
class TaggerConfig(Config):
    """A slot for a tagger."""

    abstract: ClassVar[bool] = True

    def build(self, seed: int = 0) -> Finder:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Tagger(TaggerConfig):
    """A network over characters: token vectors -> ``depth`` layers in each direction -> linear -> a score for each BIO tag.

    cell: what the layers are made of. context: how a character knows what follows it. encoder: how a character enters;
    graded by default, because a graded input beat a spike code in every comparison with Real Sam's. firing_target: how much
    its neurons should fire, if it has any. transitions: how tags follow each other.
    """

    width: int = number(128, 1)
    depth: int = number(2, 1)
    encoder: Encoder = CurrentEncoder(bits=64)
    cell: Cell = SpikingCell()
    context: Context = BothWays()
    firing_target: FiringTarget | None = FiringTarget()
    transitions: CountedTransitions | None = CountedTransitions()

    def build(self, seed: int = 0) -> TaggerModel:
        """The tagger, its parameters drawn from ``seed``."""
        model = self.module()
        initialize(model, seed)
        return model

    def module(self) -> TaggerModel:
        """The tagger before its parameters are drawn."""
        return TaggerModel(self)


class TaggerModel(nn.Module):
    """See :class:`Tagger`."""

    vocab_size = TOKENS
    transitions: Tensor  # log P of a tag (column) after another (row), filled by who trains it

    def __init__(self, config: Tagger) -> None:
        super().__init__()
        self.config = config
        self.encoder = config.encoder.build(vocab_size=TOKENS, width=config.width)
        self.layers = Layers(config.cell, config.context, config.width, config.depth)
        self.readout = Linear(self.layers.features, len(TAGS), scale=0.1)
        self.bias = parameter(len(TAGS), draw=filled(0.0), role=NEURON)
        if config.transitions:
            self.register_buffer("transitions", constant(len(TAGS), len(TAGS), draw=filled(0.0)))

    @property
    def lag(self) -> int:
        """The scores at token t + lag are those of the tag of token t."""
        return self.config.context.lag

    def init_state(self, batch: int) -> State:
        return self.layers.init_state(batch)

    def forward(self, tokens: Tensor, lengths: Tensor | None = None, state: Any = None) -> Tagged:
        """Read tokens [B, T], of which ``lengths`` [B] are text (None: all) and the rest is padding, which moves no score of
        the text. ``state``: what a stretch before this one left behind, where text is read one way."""
        tokens = checked_tokens(tokens, TOKENS)
        if lengths is None:
            lengths = torch.full((len(tokens),), tokens.shape[1], device=tokens.device)
        state = self.init_state(len(tokens)) if state is None else state
        layered = self.layers(self.encoder(tokens), lengths, state)
        logits = self.readout(layered.features) + self.bias
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        text = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
        activity = tuple(Activity(layer.spikes[text], layer.membrane[text]) for layer in layered.activity)
        target = self.config.firing_target
        losses = {"firing": target.loss(activity)} if target and activity else {}
        return Tagged(logits, layered.state, activity, losses)

    def scores(self, batch: Batch) -> Tagged:
        """The same, with the logits of each character at its own place, whatever the lag: [B, longest, tags]."""
        lag = self.lag
        tagged = self(batch.padded(lag), batch.lengths + lag)
        return tagged._replace(logits=tagged.logits[:, lag:])

    @torch.inference_mode()
    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """The entities of each text, in order. Short texts are read side by side; what stands beside a text moves nothing."""
        device = next(self.parameters()).device
        found: list[list[Span]] = [[] for _ in texts]
        for group in _groups([len(text) for text in texts]):
            batch = Batch.of([texts[index] for index in group], device)
            logits = self.scores(batch).logits.float().cpu().numpy()
            for index, scores in zip(group, logits, strict=True):
                found[index] = spans_of(self.decode(scores[: len(texts[index])]))
        return found

    def decode(self, scores: np.ndarray) -> np.ndarray:
        """The tags of a whole text, [T], from its scores. A tagger that is meant for streams decodes as it must there."""
        if not isinstance(self.config.context, Delayed):
            return viterbi(scores, self.moves())
        decoder = self.decoder()
        return np.concatenate([decoder(scores), decoder.finish()])

    def decoder(self) -> FixedLag:
        """Of a stream. Raises ValueError for a tagger that reads a text from its end too."""
        context = self.config.context
        if not isinstance(context, Delayed):
            kind = type(context).__name__
            raise ValueError(f"a tagger with context {kind} reads a text from its end too: it cannot tag a stream")
        return FixedLag(self.moves(), context.wait)

    def moves(self) -> np.ndarray:
        """What is added to the score of a tag (column) after another (row)."""
        counted = self.config.transitions
        return LEGAL + counted.weight * self.transitions.double().cpu().numpy() if counted else LEGAL

    @torch.no_grad()
    def count(self, pairs: Tensor) -> None:
        """Learn how tags follow each other. pairs: how often each (row) stood before each (column), [tags, tags]."""
        if self.config.transitions:
            pairs = pairs + RARE
            self.transitions.copy_((pairs / pairs.sum(1, keepdim=True)).log())

    @torch.no_grad()
    def calibrate(self, batch: Batch, rate: float) -> None:
        """Scale input weights until each layer of neurons fires at ``rate`` on these texts."""
        self.layers.calibrate(self.encoder(batch.padded(self.lag)), batch.lengths + self.lag, rate)

    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())


class Batch(NamedTuple):
    """Texts side by side. tokens: [B, longest]. lengths: [B]."""

    tokens: Tensor
    lengths: Tensor

    @staticmethod
    def of(texts: Sequence[str], device: torch.device | str = "cpu") -> Batch:
        lengths = [len(text) for text in texts]
        tokens = np.full((len(texts), max(1, *lengths)), PAD, np.int64)
        for row, text in zip(tokens, texts, strict=True):
            row[: len(text)] = encode(text)
        return Batch(torch.from_numpy(tokens).to(device), torch.tensor(lengths, device=device))

    def padded(self, more: int) -> Tensor:
        """The tokens, and ``more`` signs of no text after the longest."""
        return nn.functional.pad(self.tokens, (0, more), value=PAD)


def _groups(lengths: Sequence[int]) -> list[list[int]]:
    """Texts of like length together, so that little is padding. Texts without a character are in none."""
    order = sorted((index for index, length in enumerate(lengths) if length), key=lambda index: lengths[index])
    groups: list[list[int]] = []
    for index in order:
        if groups and lengths[index] * (len(groups[-1]) + 1) <= WORK:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


class TagStream:
    """Tags a text as it comes, by a tagger that reads one way: it remembers its state and the entity that is still open, not
    the text. What it finds is what :meth:`TaggerModel.find` finds in the whole text, ``lag`` characters after it was read.
    """

    def __init__(self, model: TaggerModel) -> None:
        self.model, self.state, self.decode = model, model.init_state(1), model.decoder()
        self.told = 0  # characters whose tags are decided
        self._seen = 0  # tokens read, with the signs of no text at the end
        self._open: list[int] = []  # tags of the entity that is not yet closed
        self._device = next(model.parameters()).device

    def feed(self, text: str) -> list[Span]:
        """Read on. Gives the entities that are complete now; their places count from the start of the stream."""
        return self._tell(self.decode(self._scores(encode(text))))

    def finish(self) -> list[Span]:
        """The text has ended: the entities that are left."""
        last = self._tell(self.decode(self._scores(np.full(self.model.lag, PAD))))
        return last + self._tell(self.decode.finish()) + self._close()

    @property
    def settled(self) -> int:
        """No entity that is still to come starts before this character."""
        return self.told - len(self._open)

    @torch.inference_mode()
    def _scores(self, tokens: np.ndarray) -> np.ndarray:
        """Of the characters that these tokens tell of, [T, tags]."""
        seen = self._seen
        if not len(tokens):
            return np.zeros((0, len(TAGS)))
        tagged = self.model(torch.as_tensor(tokens, device=self._device)[None], state=self.state)
        self.state, self._seen = tagged.state, seen + len(tokens)
        return tagged.logits[0].float().cpu().numpy()[max(0, self.model.lag - seen) :]

    def _tell(self, tags: np.ndarray) -> list[Span]:
        spans = []
        for tag in tags:
            if self._open and (tag == 0 or tag % 2):
                spans += self._close()
            if tag:
                self._open.append(int(tag))
            self.told += 1
        return spans

    def _close(self) -> list[Span]:
        if not self._open:
            return []
        start = self.told - len(self._open)
        spans = [Span(start + span.start, start + span.end, span.kind) for span in spans_of(self._open)]
        self._open = []
        return spans
