"""What a run looks like while it goes on: one live line in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time

from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.status import Status

from wetware.commands.console import Console
from wetware.training import PhaseReport, Reporter, Score, StepReport

SILENT, SATURATED = 0.005, 0.9


def reporter(stderr: bool = False) -> Reporter:
    """Live in a terminal, plain lines elsewhere (a file, a pipe, CI); on standard error where output is for a program."""
    console = Console(stderr=stderr)
    return LiveReporter(console) if console.is_terminal else PlainReporter(console)


def clock(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class PlainReporter(Reporter):
    """A line every ``every`` seconds, for logs."""

    def __init__(self, console: Console, every: float = 10.0) -> None:
        self.console, self.every = console, every
        self._speed = self._last_line = 0.0
        self._before: StepReport | None = None
        self._loss = self._bits = float("nan")
        self._alarmed: set[int] = set()
        self._where = ""

    def message(self, text: str) -> None:
        self.console.print(escape(text), soft_wrap=True)

    def where(self, text: str) -> None:
        self._where = text

    def phase(self, report: PhaseReport) -> None:
        own, fixed = report.own, report.fixed
        title = f"phase {report.number}/{report.phases} {report.name}, {report.chunk} tokens"
        why = f" by {report.why}" if report.why else ""
        text = f"{title}: {report.event}{why} at {report.tokens:,} tokens: its own held-out text: "
        figures = f"perplexity {own.perplexity:.1f}; whole held-out text: {fixed.bits_per_byte:.4f} bits/byte"
        self.console.print(text + figures, style="cyan", soft_wrap=True)

    def step(self, report: StepReport, progress: float) -> None:
        self._smooth(report)
        self._alarm(report)
        if report.step == 1 or progress >= 1 or time.monotonic() - self._last_line >= self.every:
            self._last_line = time.monotonic()
            self.console.print(f"{min(1.0, progress):6.1%}  {self.line(report, progress)}", soft_wrap=True)

    def _smooth(self, report: StepReport) -> None:
        """Averages over about ten steps: the text changes from step to step more than the model does."""
        before = self._before
        if before is None:
            self._loss, self._bits = report.loss, report.bits
        else:
            self._loss += 0.1 * (report.loss - self._loss)
            self._bits += 0.1 * (report.bits - self._bits)
            speed = (report.tokens - before.tokens) / max(report.seconds - before.seconds, 1e-9)
            self._speed += (0.1 if self._speed else 1.0) * (speed - self._speed)
        self._before = report

    def line(self, report: StepReport, progress: float) -> str:
        left = report.seconds / progress * (1 - progress) if progress > 0 else 0.0
        parts = [self._where] if self._where else []
        parts += [f"step {report.step}", f"loss {self._loss:.3f}", f"[bold]{self._bits:.3f}[/bold] bits/byte"]
        if report.firing:
            parts.append("firing " + " ".join(_rate(rate) for rate in report.firing) + " %")
        parts += [f"{name} {value:.2f}" for name, value in report.signals.items()]
        if report.skipped:
            parts.append(f"[red]{report.skipped} skipped[/red]")
        return "  ".join([*parts, f"{self._speed:,.0f} tokens/s", f"{clock(left)} left"])

    def _alarm(self, report: StepReport) -> None:
        for layer, rate in enumerate(report.firing):
            bad = "nearly silent" if rate < SILENT else "saturated" if rate > SATURATED else None
            if bad and layer not in self._alarmed:
                self._alarmed.add(layer)
                self.console.print(f"[red]alarm: layer {layer} is {bad}: it fires at {rate:.1%}[/red]")
            elif not bad:
                self._alarmed.discard(layer)

    def evaluated(self, step: int, score: Score, best: bool) -> None:
        mark = " (best so far)" if best else ""
        figures = f"{score.bits_per_byte:.4f} bits/byte, perplexity {score.perplexity:.1f}{mark}"
        self.console.print(f"held out at step {step}: {figures}", style="green", soft_wrap=True)

    def sampled(self, step: int, prompt: str, text: str) -> None:
        self.console.print(f"[dim]{escape(prompt)}[/dim][italic]{escape(text)}[/italic]", soft_wrap=True)


class LiveReporter(PlainReporter):
    """One line that is kept up to date; what is worth keeping scrolls above it."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        columns = (BarColumn(bar_width=16), TextColumn("{task.percentage:>3.0f} %"), TextColumn("{task.description}"))
        self.progress = Progress(*columns, console=console, transient=True)
        self.task: TaskID | None = None
        self.waiting: Status | None = None

    def busy(self, text: str) -> None:
        if self.task is not None:
            self.progress.update(self.task, description=escape(text))
            return
        if self.waiting is None:
            self.waiting = self.console.status(text)
            self.waiting.start()
        self.waiting.update(escape(text))

    def message(self, text: str) -> None:
        self._ready()
        super().message(text)

    def _ready(self) -> None:
        if self.waiting is not None:
            self.waiting.stop()
            self.waiting = None

    def step(self, report: StepReport, progress: float) -> None:
        self._smooth(report)
        self._alarm(report)
        self._ready()
        if self.task is None:
            self.progress.start()
            self.task = self.progress.add_task("", total=1.0)
        self.progress.update(self.task, completed=min(1.0, progress), description=self.line(report, progress))

    def close(self) -> None:
        self._ready()
        self.progress.stop()


def _rate(rate: float) -> str:
    text = f"{100 * rate:.0f}"
    return f"[red]{text}[/red]" if rate < SILENT or rate > SATURATED else text
