"""Reporting: what a run tells whoever watches it."""

from __future__ import annotations

from typing import NamedTuple

from wetware.training.losses import Score


class StepReport(NamedTuple):
    """What one optimizer step did. loss: nats per token. bits: bits per byte of the text just read. signals: what the model
    was told, by name, of those that it reads. firing: mean rate of each layer; dead, saturated: share of the neurons of each
    layer that never, or nearly always, fired. gain_spread: the deviation over its neurons of each layer's gain, where stress
    moves it."""

    step: int
    tokens: int
    seconds: float
    loss: float
    bits: float
    norm: float
    factor: float
    signals: dict[str, float]
    firing: tuple[float, ...]
    dead: tuple[float, ...]
    saturated: tuple[float, ...]
    skipped: int
    gain_spread: tuple[float, ...] = ()


class PhaseReport(NamedTuple):
    """How a model stands at the start or the end of a phase.

    event: ``start`` or ``end``. number: of the phase, from 1, of ``phases``. why: it ended: ``converged``, ``cap`` or ``limit``
    (of the run). tokens: read in the whole run. phase_tokens: of these, in the phase. own: on the phase's own held-out text.
    fixed: on the held-out whole text, the same for every phase, with carried state.
    """

    event: str
    number: int
    phases: int
    name: str
    chunk: int
    tokens: int
    phase_tokens: int
    why: str | None
    own: Score
    fixed: Score


class Reporter:
    """Hears what happens in a run; this base says nothing."""

    def message(self, text: str) -> None: ...

    def busy(self, text: str) -> None:
        """Something other than training steps goes on; said again as it advances."""

    def where(self, text: str) -> None:
        """Where in its course the run stands, said when that changes."""

    def phase(self, report: PhaseReport) -> None: ...

    def step(self, report: StepReport, progress: float) -> None: ...

    def evaluated(self, step: int, score: Score, best: bool) -> None: ...

    def sampled(self, step: int, prompt: str, text: str) -> None: ...

    def close(self) -> None: ...
