"""Run: everything that a training run is, in one config."""

from __future__ import annotations

from dataclasses import dataclass, replace

from wetware.config import Config, number
from wetware.data import BPE, Corpus, Sotu, TokenizerConfig
from wetware.models import ModelConfig, RealSam
from wetware.training.counted import Counted, EveryToken
from wetware.training.curriculum import Curriculum
from wetware.training.optimizers import AdamW, OptimizerConfig
from wetware.training.schedules import Cosine, Limit, Schedule, Tokens
from wetware.training.starting import SavedWeights


@dataclass(frozen=True, kw_only=True)
class Calibration(Config):
    """Before the first step, scale each layer's input weights on the first chunk of text until it fires at ``rate``."""

    rate: float = number(0.10, 0.001, 0.9)


@dataclass(frozen=True, kw_only=True)
class Monitoring(Config):
    """What is watched and kept; nothing here moves a weight.

    Counts are in steps. ``evaluate_tokens``: held-out tokens of the periodic evaluation. ``keep``: checkpoints kept beside
    the best one.
    """

    log_every: int = number(10, 1)
    evaluate_every: int = number(200, 1)
    evaluate_tokens: int = number(20_000, 1)
    sample_every: int = number(500, 1)
    sample_prompt: str = "The people of the United States"
    sample_tokens: int = number(60, 1)
    checkpoint_every: int = number(200, 1)
    keep: int = number(2, 1)


@dataclass(frozen=True, kw_only=True)
class Training(Config):
    """How a model is trained.

    batch: sequences read side by side. chunk: tokens between two truncations of back-propagation through time; the state
    goes on across them. accumulate: in how many parts a batch is worked through, to save memory. clip: largest gradient
    norm. limit: how long. counted: which targets the loss, and every score, is made of. curriculum: phases, each with its own
    text and its own chunk; ``chunk`` is then only that of the calibration, which is on whole text.
    """

    batch: int = number(16, 1)
    chunk: int = number(64, 1)
    accumulate: int = number(1, 1)
    limit: Limit = Tokens()
    optimizer: OptimizerConfig = AdamW()
    schedule: Schedule = Cosine()
    clip: float = number(1.0, 0.0, open_ends=True)
    counted: Counted = EveryToken()
    calibration: Calibration | None = Calibration()
    curriculum: Curriculum | None = None


@dataclass(frozen=True, kw_only=True)
class Run(Config):
    """A model, a text, and how the one learns the other. The number of tokens and the boundary come from the tokenizer.

    start: the weights of a checkpoint to start from, which are not calibrated again; without it all are drawn from the seed.
    """

    model: ModelConfig = RealSam()
    corpus: Corpus = Sotu()
    tokenizer: TokenizerConfig = BPE()
    training: Training = Training()
    monitoring: Monitoring = Monitoring()
    start: SavedWeights | None = None
    seed: int = number(0, 0)

    def fitted(self, vocab_size: int, boundary: int) -> Run:
        """The run with its model fitted to a tokenizer."""
        return replace(self, model=replace(self.model, vocab_size=vocab_size, boundary=boundary))
