"""Curriculum: phases of a run that begin with a few words and end with conversations, and when one gives way to the next.

Each phase reads the run's text cut its own way, in chunks of its own length; the next begins by itself when the held-out loss
of the phase no longer falls (Elman, 1993, started small; Bengio and others, 2009, named it). A control is at hand for each half
of it: the same phases with whole text, or with one length (recipes ``real_sam_curriculum_*``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, linear_regression
from typing import ClassVar

from wetware.config import Config, ConfigError, number
from wetware.data import Clauses, Conversations, PhaseText, Sentences, Stories, WholeText, Words
from wetware.training.counted import AssistantTurns, Counted


@dataclass(frozen=True, kw_only=True)
class Cap(Config):
    """A slot for how long a phase may be."""

    abstract: ClassVar[bool] = True

    def reached(self, tokens: int, share: float) -> bool:
        """Whether a phase is over that has read ``tokens`` and has done ``share`` of the whole run."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class TokenCap(Cap):
    """At most so many tokens."""

    count: int = number(100_000, 1)

    def reached(self, tokens: int, share: float) -> bool:
        return tokens >= self.count


@dataclass(frozen=True, kw_only=True)
class ShareCap(Cap):
    """At most this share of the run, of its tokens when these are what limits it: a longer run has longer phases."""

    share: float = number(0.2, 0.0, 1.0, open_ends=True)

    def reached(self, tokens: int, share: float) -> bool:
        return share >= self.share


@dataclass(frozen=True, kw_only=True)
class Phase(Config):
    """A part of a run. text: what it reads, made of the run's corpus. chunk: tokens of a chunk. cap: when it ends at the latest
    (None: with the run); after the last phase nothing comes, and its cap has no meaning. counted: which targets its loss, and
    its held-out loss, are made of (None: as the run's ``training.counted`` says, which also holds for what is replayed)."""

    label: ClassVar[str | None] = "name"

    name: str
    text: PhaseText = WholeText()
    chunk: int = number(64, 1)
    cap: Cap | None = None
    counted: Counted | None = None

    def check(self) -> None:
        if not self.name.isidentifier():
            raise ConfigError(f"Phase.name = {self.name!r}: allowed are letters, digits and underscores")


@dataclass(frozen=True, kw_only=True)
class Transition(Config):
    """A slot for what ends a phase before its cap does."""

    abstract: ClassVar[bool] = True

    def due(self, share: float, heard: int) -> int | None:
        """How many held-out tokens to hear next, None when it is not yet time: ``share`` of the run was done in the phase, and
        ``heard`` losses were heard in it."""
        return None

    def met(self, losses: Sequence[float]) -> bool:
        """Whether the phase is over, by its held-out losses (nats per token) in order."""
        return False


@dataclass(frozen=True, kw_only=True)
class Converged(Transition):
    """A phase is over when its held-out loss no longer falls. The line fitted to the last ``window`` losses must have::

        slope / mean > -flat

    in ``tests`` tests one after the other. flat: relative fall from one evaluation to the next. every: share of the run between
    two evaluations of the phase's held-out text, of about ``tokens`` tokens each, always the same ones.
    """

    window: int = number(5, 2)
    flat: float = number(0.002, 0.0)
    tests: int = number(2, 1)
    every: float = number(0.02, 0.0, 1.0, open_ends=True)
    tokens: int = number(4000, 1)

    def due(self, share: float, heard: int) -> int | None:
        return self.tokens if share >= self.every * (heard + 1) else None

    def met(self, losses: Sequence[float]) -> bool:
        ends = range(len(losses), len(losses) - self.tests, -1)
        return len(losses) >= self.window + self.tests - 1 and all(
            self._is_flat(losses[end - self.window : end]) for end in ends
        )

    def _is_flat(self, losses: Sequence[float]) -> bool:
        return linear_regression(range(len(losses)), losses).slope > -self.flat * fmean(losses)


@dataclass(frozen=True, kw_only=True)
class AtCap(Transition):
    """A phase is over at its cap, whatever the loss does; nothing is evaluated for it."""


@dataclass(frozen=True, kw_only=True)
class Replay(Config):
    """From the second phase on, ``share`` of the lanes of a batch (one at least, never all) read the text of all earlier
    phases, in chunks of the present length: what was learned is not forgotten (Robins, 1995)."""

    share: float = number(0.2, 0.0, 1.0, open_ends=True)

    def lanes(self, batch: int) -> int:
        return min(batch - 1, max(1, round(self.share * batch)))


@dataclass(frozen=True, kw_only=True)
class Rewarm(Config):
    """After a transition the learning rate rises to ``peak`` of its largest value, where the schedule has fallen below that,
    and falls back into the schedule. rise, fall: shares of the run that this takes."""

    peak: float = number(0.5, 0.0, 1.0)
    rise: float = number(0.005, 0.0, 1.0)
    fall: float = number(0.05, 0.0, 1.0, open_ends=True)

    def factor(self, scheduled: float, share: float) -> float:
        """The factor on every learning rate, ``share`` of the run after the transition."""
        height = share / self.rise if share < self.rise else max(0.0, 1.0 - (share - self.rise) / self.fall)
        return scheduled + max(0.0, self.peak - scheduled) * height


FIVE = (
    Phase(name="words", text=Words(), chunk=8, cap=ShareCap(share=0.1)),
    Phase(name="phrases", text=Clauses(), chunk=16, cap=ShareCap(share=0.15)),
    Phase(name="sentences", text=Sentences(), chunk=32, cap=ShareCap(share=0.2)),
    Phase(name="stories", text=Stories(), chunk=64, cap=ShareCap(share=0.3)),
    Phase(name="conversations", text=Conversations(), chunk=64, counted=AssistantTurns()),
)


@dataclass(frozen=True, kw_only=True)
class Curriculum(Config):
    """The phases of a run, in order, and what leads from one to the next. The tokenizer is that of the whole text; every phase
    is scored on the same held-out whole text besides its own, since a longer context alone would look like learning."""

    phases: tuple[Phase, ...] = FIVE
    transition: Transition = Converged()
    replay: Replay | None = Replay()
    rewarm: Rewarm | None = Rewarm()

    def check(self) -> None:
        if not self.phases:
            raise ConfigError("Curriculum.phases is empty: expected one phase or more")
