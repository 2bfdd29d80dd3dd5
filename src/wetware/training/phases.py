"""Phases: the course of a run with a curriculum."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wetware.data import Chunk, Corpus, DataError, Joined, Packed, Rule, Stream, Tokenizer, counts_any
from wetware.data.files import digest
from wetware.training.course import Course, Examine, Lesson, Moment
from wetware.training.curriculum import Phase
from wetware.training.reporting import PhaseReport
from wetware.training.run import Run

Prepare = Callable[[Corpus, Tokenizer], tuple[Tokenizer, Packed, Packed]]


class _Desk(NamedTuple):
    """What lies ready for a phase. streams: what its lanes read, and what those read that replay, if any do, each with the rule
    of what counts there."""

    phase: Phase
    held_out: Packed
    streams: tuple[Stream, ...]

    @property
    def rule(self) -> Rule | None:
        return self.streams[0].rule


class Phases(Course):
    """The phases of ``run.training.curriculum``, one after the other.

    All that decides is in what :meth:`to_dict` gives: the phase, when it began, and the held-out losses heard in it. ``whole``
    is the held-out text that scores every phase, ``rule`` what counts there; ``prepare`` packs a corpus.
    """

    def __init__(self, run: Run, whole: Packed, tokenizer: Tokenizer, rule: Rule | None, prepare: Prepare) -> None:
        """Packs the text of every phase. Raises :class:`DataError` for one that has too little."""
        settings = run.training
        assert settings.curriculum is not None
        self.curriculum, self.limit, self.batch = settings.curriculum, settings.limit, settings.batch
        self.whole, self.rule, self.seed = whole, rule, run.seed
        self.report_tokens = run.monitoring.evaluate_tokens
        self.index, self.begun = 0, Moment(0, 0, 0.0)
        self.heard: list[float] = []
        self.told = False  # whether the start of the run's first phase was reported
        self._train: list[Packed] = []
        self._desks = [self._desk(phase, run.corpus, tokenizer, prepare) for phase in self.curriculum.phases]

    def _desk(self, phase: Phase, corpus: Corpus, tokenizer: Tokenizer, prepare: Prepare) -> _Desk:
        _, train, held_out = prepare(phase.text.of(corpus), tokenizer)
        rule = self.rule if phase.counted is None else phase.counted.rule(tokenizer)
        if rule is not None and not (counts_any(train, rule) and counts_any(held_out, rule)):
            raise DataError(f"phase {phase.name}: {phase.counted} counts no token of its text")
        replay, earlier = self.curriculum.replay, self._train
        lanes = replay.lanes(self.batch) if replay and earlier else 0
        try:
            streams = [Stream(train, self.batch - lanes, phase.chunk, self.seed, rule)]
            if lanes:
                streams.append(Stream(Joined(earlier), lanes, phase.chunk, self.seed, self.rule))
        except DataError as error:
            raise DataError(f"phase {phase.name}: {error}") from None
        self._train = [*earlier, train]
        return _Desk(phase, held_out, tuple(streams))

    @property
    def desk(self) -> _Desk:
        return self._desks[self.index]

    @property
    def where(self) -> str:
        phase = self.desk.phase
        return f"phase {self.index + 1}/{len(self._desks)} {phase.name}, {phase.chunk} tokens"

    # ------------------------------------------------------------------------------------------------------------- steps

    def lesson(self, step: int) -> Lesson:
        read = [stream.at(step - self.begun.step) for stream in self.desk.streams]
        counted = None
        if any(chunk.counted is not None for chunk in read):
            counted = torch.cat([_counted(chunk) for chunk in read])
        inputs, targets = (torch.cat([chunk[field] for chunk in read]) for field in (0, 1))
        # where the lanes of one stream start over, all do: that is once in an epoch
        return Lesson(inputs, targets, any(chunk.fresh for chunk in read), counted)

    def factor(self, scheduled: float, moment: Moment) -> float:
        rewarm = self.curriculum.rewarm
        return scheduled if rewarm is None or not self.index else rewarm.factor(scheduled, self._share(moment))

    def _share(self, moment: Moment) -> float:
        """What share of the run was done in this phase."""
        return self.limit.progress(*moment) - self.limit.progress(*self.begun)

    def begin(self, moment: Moment, examine: Examine) -> list[PhaseReport]:
        if self.told:
            return []
        self.told = True
        return [self._report("start", moment, examine)]

    def after(self, moment: Moment, examine: Examine) -> list[PhaseReport]:
        phase, held_out, transition = self.desk.phase, self.desk.held_out, self.curriculum.transition
        if (tokens := transition.due(self._share(moment), len(self.heard))) is not None:
            score = examine(held_out, phase.chunk, self.desk.rule, tokens)
            self.heard.append(score.nats / max(score.tokens, 1))
        if self.limit.progress(*moment) >= 1:
            return [self._report("end", moment, examine, "limit")]
        if self.index + 1 == len(self._desks) or (why := self._over(moment)) is None:
            return []
        ended = self._report("end", moment, examine, why)
        self.index, self.begun, self.heard = self.index + 1, moment, []
        return [ended, self._report("start", moment, examine)]

    def _over(self, moment: Moment) -> str | None:
        """Why the phase is over, if it is."""
        cap = self.desk.phase.cap
        if self.curriculum.transition.met(self.heard):
            return "converged"
        reached = cap is not None and cap.reached(moment.tokens - self.begun.tokens, self._share(moment))
        return "cap" if reached else None

    def _report(self, event: str, moment: Moment, examine: Examine, why: str | None = None) -> PhaseReport:
        phase, held_out, _ = self.desk
        return PhaseReport(
            event,
            self.index + 1,
            len(self._desks),
            phase.name,
            phase.chunk,
            moment.tokens,
            moment.tokens - self.begun.tokens,
            why,
            examine(held_out, phase.chunk, self.desk.rule, self.report_tokens),
            examine(self.whole, 128, self.rule, self.report_tokens),
        )

    # -------------------------------------------------------------------------------------------------------------- text

    def reading_ahead(self) -> AbstractContextManager[Any]:
        return self._reading_ahead()

    @contextlib.contextmanager
    def _reading_ahead(self) -> Generator[None]:
        with contextlib.ExitStack() as stack:
            for packed in self._train:
                stack.enter_context(packed.reading_ahead())
            yield

    def to_dict(self, step: int) -> dict[str, Any]:
        return {
            "text": self._key,
            "phase": self.index,
            "begun": list(self.begun),
            "heard": self.heard,
            "told": self.told,
            "places": [stream.packed.place(epoch) for stream, epoch in self._epochs(step)],
        }

    def load(self, about: dict[str, Any], step: int) -> bool:
        self.index, self.begun = about["phase"], Moment(*about["begun"])
        self.heard, self.told = list(about["heard"]), about["told"]
        if about["text"] != self._key:
            return False
        for (stream, epoch), place in zip(self._epochs(step), about["places"], strict=True):
            stream.packed.go_on(epoch, place)
        return True

    @property
    def _key(self) -> str:
        return digest([packed.key for packed in self._train])

    def _epochs(self, step: int) -> list[tuple[Stream, int]]:
        """What is read, and in which epoch of it."""
        return [(stream, (step - self.begun.step) // stream.steps_per_epoch) for stream in self.desk.streams]


def _counted(chunk: Chunk) -> Tensor:
    return torch.ones_like(chunk.targets, dtype=torch.bool) if chunk.counted is None else chunk.counted
