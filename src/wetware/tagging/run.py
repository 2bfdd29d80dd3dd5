"""A training run of a tagger, in one config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from wetware.config import Config, number
from wetware.tagging.examples import TaggedCorpus
from wetware.tagging.tagger import Tagger
from wetware.tagging.template_corpus import Templates
from wetware.training import AdamW, Calibration, Cosine, Steps
from wetware.training.optimizers import OptimizerConfig
from wetware.training.schedules import Limit, Schedule


@dataclass(frozen=True, kw_only=True)
class TagWeights(Config):
    """A slot for how much each tag weighs in the loss."""

    abstract: ClassVar[bool] = True

    def weights(self, counts: Tensor) -> Tensor:
        """Of the tags, whose mean over the text is 1, from how often each stands in it, [tags]."""
        rate = counts.clamp(min=1) / counts.clamp(min=1).sum()
        raw = self.raw(rate)
        return raw / (raw * rate).sum()

    def raw(self, rate: Tensor) -> Tensor:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class RareTags(TagWeights):
    """``rate^-power``: most characters are not private, and the first character of an entity is rare. What leaks then costs
    more than what is hidden in vain."""

    power: float = number(0.5, 0.0, 1.0)

    def raw(self, rate: Tensor) -> Tensor:
        return rate.pow(-self.power)


@dataclass(frozen=True, kw_only=True)
class RareKinds(RareTags):
    """:class:`RareTags` in which B and I of a kind weigh the same, by how rare the kind is: that an entity is found matters
    more than where nothing is, but not that it begins anew in its middle."""

    def raw(self, rate: Tensor) -> Tensor:
        kinds = rate[1:].view(-1, 2).sum(1, keepdim=True).expand(-1, 2).flatten()
        return super().raw(torch.cat([rate[:1], kinds]))


@dataclass(frozen=True, kw_only=True)
class EqualTags(TagWeights):
    """1 for every tag: the control of :class:`RareTags`."""

    def raw(self, rate: Tensor) -> Tensor:
        return torch.ones_like(rate)


@dataclass(frozen=True, kw_only=True)
class TagTraining(Config):
    """How a tagger is trained.

    batch: texts read side by side. longest: characters of a text that are read. clip: largest gradient norm. limit: how long;
    its tokens are characters.
    """

    batch: int = number(32, 1)
    longest: int = number(600, 1)
    limit: Limit = Steps(count=1200)
    optimizer: OptimizerConfig = AdamW(matrix=2e-3, embedding=4e-3, neuron=4e-3)
    schedule: Schedule = Cosine()
    clip: float = number(1.0, 0.0, open_ends=True)
    weights: TagWeights = RareKinds()
    calibration: Calibration | None = Calibration()


@dataclass(frozen=True, kw_only=True)
class TagMonitoring(Config):
    """What is watched and kept; nothing here moves a weight, but ``evaluate_every`` decides which weights can be the best.

    Counts are in steps. ``evaluate_texts``: development texts of the periodic evaluation. ``keep``: checkpoints beside the
    best."""

    log_every: int = number(10, 1)
    evaluate_every: int = number(200, 1)
    evaluate_texts: int = number(300, 1)
    keep: int = number(2, 1)


@dataclass(frozen=True, kw_only=True)
class TagRun(Config):
    """A tagger, marked texts, and how the one learns the other."""

    model: Tagger = Tagger()
    corpus: TaggedCorpus = Templates()
    training: TagTraining = TagTraining()
    monitoring: TagMonitoring = TagMonitoring()
    seed: int = number(0, 0)
