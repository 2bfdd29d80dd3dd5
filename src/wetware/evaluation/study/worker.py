"""Worker: takes cells one after the other, trains them, scores them, and writes their rows."""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from wetware import __version__
from wetware.config import snake, with_
from wetware.evaluation.measure import Subject
from wetware.evaluation.study.matching import parameters
from wetware.evaluation.study.plan import Plan
from wetware.evaluation.study.store import Cell, Store, this_worker
from wetware.training import CheckpointError, Reporter, StepReport, Trainer, checkpoint
from wetware.training.metrics import read

BEAT = 5.0  # seconds between signs of life


class _Lost(Exception):
    """The cell is no longer ours: this process was taken for dead while it slept."""


class Worker:
    """Works on the cells of ``store`` (of one study, or of all) until none waits.

    folder: where runs are trained, one folder a cell, so that a killed cell goes on from its last checkpoint.
    parent: the process that this one must not outlive, if there is one. say: told in a line what happens.
    """

    def __init__(
        self,
        store: Store,
        folder: str | Path,
        study: str | None = None,
        *,
        device: str | torch.device = "cpu",
        parent: int | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.store, self.folder, self.study, self.parent, self.say = store, Path(folder), study, parent, say
        self.name, self.device = this_worker(), device
        self._plans: dict[str, Plan] = {}

    def work(self) -> int | None:
        """Take cells until none is left to take; gives the signal that stopped it, if one did.

        While others hold the last cells, it waits: one of them may die.
        """
        while True:
            cell = self.store.claim(self.name, self.study)
            if cell is not None:
                stopped = self._one(cell)
                if stopped is not None:
                    return stopped
            elif self.store.open(self.study):
                time.sleep(2.0)
            else:
                return None

    def _one(self, cell: Cell) -> int | None:
        label = f"{cell.arm}, seed {cell.seed}"
        if cell.study not in self._plans:
            self._plans[cell.study] = self.store.plan(cell.study)
        plan, reporter = self._plans[cell.study], _Beat(self.store, cell, self.parent)
        try:
            self.say(f"{label}: begins" if cell.attempts == 1 else f"{label}: goes on")
            result, stopped = self._train(plan, cell, reporter)
        except _Lost:
            self.say(f"{label}: given up, another worker has it")
            return None
        except Exception as error:  # whatever a cell does, the others are still wanted
            message = f"{type(error).__name__}: {' '.join(str(error).split())}"
            self.store.failed(cell, message)
            self.say(f"{label}: failed: {message}")
            return None
        except BaseException:  # interrupted outside of training: somebody else may have it at once
            self.store.release(cell)
            raise
        finally:
            reporter.stop()
        if stopped is not None:
            self.store.release(cell)
            return stopped
        if self.store.done(cell, result):
            self.say(f"{label}: {result['bits_per_byte']:.4f} bits per byte")
        return None

    def _train(self, plan: Plan, cell: Cell, reporter: _Beat) -> tuple[dict[str, Any], int | None]:
        arm = plan.arm(cell.arm)
        run = with_(arm.run, "seed", cell.seed)
        folder = self.folder / cell.study / f"{slug(cell.arm)}-seed-{cell.seed}"
        if checkpoint.steps(folder):
            trainer = Trainer.resume(folder, reporter=reporter, device=self.device)
            if trainer.run != run.fitted(trainer.tokenizer.vocab_size, trainer.tokenizer.boundary):
                raise CheckpointError(
                    f"{str(folder)!r} holds another run than this cell's: remove it or choose another --out"
                )
        else:
            trainer = Trainer(run, folder, reporter=reporter, device=self.device)
        started = time.process_time()
        stopped = trainer.fit() if trainer.progress < 1 else None
        if stopped is not None and stopped.signal is not None:
            return {}, stopped.signal
        spent = time.process_time() - started
        score = trainer.evaluate(plan.held_out)
        measured = _measured(plan, trainer, reporter)
        rows = [row for row in read(folder) if row["kind"] == "held_out"]
        result = {
            "bits_per_byte": score.bits_per_byte,
            "perplexity": score.perplexity,
            "nats": score.nats,
            "tokens": score.tokens,
            "bytes": score.bytes,
            "firing": list(score.rates),
            "parameters": parameters(trainer.run.model),
            "unmatched": arm.unmatched,
            "trained_tokens": trainer.tokens,
            "steps": trainer.step,
            "skipped": trainer.skipped,
            "seconds": trainer.seconds,
            "processor_seconds": spent,  # of this process: since the last resume
            "curve": [[row["tokens"], row["bits_per_byte"], row["seconds"]] for row in rows],
            **({"measures": measured} if measured else {}),
            "worker": self.name,
            "version": __version__,
            "torch": torch.__version__,
            "machine": f"{platform.system()} {platform.machine()} {os.cpu_count()} cores",
        }
        return result, None


def _measured(plan: Plan, trainer: Trainer, reporter: _Beat) -> dict[str, Any]:
    """The figures of every measure of the plan; of one that refuses, why."""
    subject = Subject(
        plan.name,
        trainer.model,
        trainer.tokenizer,
        trainer.run.corpus,
        trainer.train,
        trainer.held_out,
        plan.held_out,
        trainer.run,
    )
    found = {}
    for measure in plan.measures:
        reason = measure.refusal(subject)
        figures = {"refused": reason} if reason else measure.take(subject, lambda share: reporter.check())
        found[snake(type(measure).__name__)] = figures
    return found


class _Beat(Reporter):
    """Signs of life from a thread of its own, since one step of a large model may take longer than a lease; and the end of the
    cell when they are no longer accepted, or when whoever started this worker is gone."""

    def __init__(self, store: Store, cell: Cell, parent: int | None) -> None:
        self._store, self._cell, self._parent, self._progress = store, cell, parent, 0.0
        self._lost, self._stopping = False, threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def step(self, report: StepReport, progress: float) -> None:
        self._progress = min(1.0, progress)
        self.check()

    def busy(self, text: str) -> None:
        self.check()

    def check(self) -> None:
        if self._lost:
            raise _Lost

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=60)

    def _beat(self) -> None:
        while not self._stopping.wait(BEAT):
            if self._parent is not None and sys.platform != "win32" and os.getppid() != self._parent:
                os._exit(1)  # the study was killed: nobody would see what this process does
            try:
                self._lost = not self._store.alive(self._cell, self._progress)
            except Exception:  # the database is away for a moment; the lease will tell whether for too long
                continue
            if self._lost:
                return


def slug(name: str) -> str:
    """A name as part of a path."""
    return "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in name)
