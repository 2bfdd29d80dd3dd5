"""Metrics: one JSON line for each thing worth keeping, and the same for TensorBoard."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from wetware.data.files import write_atomically
from wetware.training.losses import Score
from wetware.training.reporting import PhaseReport, StepReport


class Metrics:
    """Writes ``metrics.jsonl`` and ``tb/`` of a run. What a killed run wrote after the step it resumes from is dropped."""

    def __init__(self, folder: Path, after: int, tokens: int = 0, seconds: float = 0.0) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.path = folder / "metrics.jsonl"
        if self.path.exists():
            kept = [row for row in read(folder) if row["step"] <= after]
            write_atomically(self.path, "".join(json.dumps(row) + "\n" for row in kept))
        folder.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a", buffering=1)
        self._board = SummaryWriter(str(folder / "tb"), purge_step=after + 1 if after else None)
        self._last = (tokens, seconds)

    def _write(self, kind: str, step: int, **values: Any) -> None:
        # JSON has no NaN: what is not finite is null
        plain = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in values.items()
        }
        self._file.write(json.dumps({"kind": kind, "step": step, **plain}) + "\n")

    def step(self, report: StepReport) -> None:
        tokens, seconds = self._last
        speed = (report.tokens - tokens) / max(report.seconds - seconds, 1e-9)
        self._last = (report.tokens, report.seconds)
        plain = {name: value for name, value in report._asdict().items() if name != "signals"}
        self._write("step", tokens_per_second=speed, **plain, **report.signals)
        scalars = {
            "train/loss": report.loss,
            "train/bits_per_byte": report.bits,
            "train/tokens_per_second": speed,
            "train/gradient_norm": report.norm,
            "train/rate_factor": report.factor,
        }
        scalars |= {f"environment/{name}": value for name, value in report.signals.items()}
        scalars |= {f"environment/gain_spread/{layer}": value for layer, value in enumerate(report.gain_spread)}
        for layer, rate in enumerate(report.firing):
            scalars[f"activity/firing_rate/{layer}"] = rate
        if report.firing:
            scalars["activity/dead"] = sum(report.dead) / len(report.dead)
            scalars["activity/saturated"] = sum(report.saturated) / len(report.saturated)
        for tag, value in scalars.items():
            if math.isfinite(value):
                self._board.add_scalar(tag, value, report.step)

    def evaluated(self, step: int, tokens: int, seconds: float, score: Score) -> None:
        values = {"bits_per_byte": score.bits_per_byte, "bits_per_token": score.bits_per_token, "firing": score.rates}
        self._write("held_out", step, tokens=tokens, seconds=seconds, perplexity=score.perplexity, **values)
        self._board.add_scalar("held_out/bits_per_byte", score.bits_per_byte, step)

    def phase(self, step: int, report: PhaseReport) -> None:
        own, fixed = report.own, report.fixed
        self._write(
            "phase",
            step,
            event=report.event,
            phase=report.name,
            number=report.number,
            phases=report.phases,
            chunk=report.chunk,
            tokens=report.tokens,
            phase_tokens=report.phase_tokens,
            why=report.why,
            loss=own.nats / max(own.tokens, 1),
            perplexity=own.perplexity,
            firing=list(own.rates),
            mean_firing=sum(own.rates) / len(own.rates) if own.rates else None,
            fixed_bits_per_byte=fixed.bits_per_byte,
        )
        self._board.add_scalar("phase/number", report.number, step)
        self._board.add_scalar("phase/fixed_bits_per_byte", fixed.bits_per_byte, step)

    def event(self, step: int, event: dict[str, Any]) -> None:
        """What a rule did after a step."""
        self._write("event", step, **event)

    def sampled(self, step: int, prompt: str, text: str) -> None:
        self._write("sample", step, prompt=prompt, text=text)
        self._board.add_text("sample", f"**{prompt}**{text}", step)

    def close(self) -> None:
        self._file.close()
        self._board.close()


def read(folder: str | Path) -> list[dict[str, Any]]:
    """The rows of a run's ``metrics.jsonl``; a last line cut short by a kill is left out."""
    rows = []
    for line in (Path(folder) / "metrics.jsonl").read_text(errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            rows.append(row)
    return rows
