"""Tasks of the Language Model Evaluation Harness."""

from __future__ import annotations

import contextlib
import io
import math
import random
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from wetware.config import nearest, number
from wetware.data import DataError
from wetware.evaluation.harness.install import MISSING, installed
from wetware.evaluation.measure import Measure, Progress, Subject, Table


@dataclass(frozen=True, kw_only=True)
class LmEval(Measure):
    """Tasks of ``lm-eval`` (Gao et al., 2021; the extra ``eval``), scored by the scorer that CORE uses.

    Args:
        tasks: their names.
        folder: where their YAML files are; with it no task of the harness itself is known, and nothing is fetched that a file
            does not name. None: the harness's own tasks, which fetch their data from the network.
        shots: solved examples before each item; None leaves it to the task.
        max_per_task: at most so many items of a task; None takes all.
    """

    title: ClassVar[str] = "lm-eval tasks"

    tasks: tuple[str, ...] = ()
    folder: str | None = None
    shots: int | None = number(None, 0)
    max_per_task: int | None = number(None, 1)

    def refusal(self, subject: Subject) -> str | None:
        if not self.tasks:
            return "it needs the names of tasks"
        return None if installed() else MISSING

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        """Every metric of every task, as the harness computes them. Raises DataError for tasks that are not there or fail."""
        with _own_dice(), _quiet():
            found = self._take(subject, progress)
        items, shots = found["n-samples"], found["n-shot"]
        tasks = {
            name: {
                "items": items.get(name, {}).get("effective"),
                "shots": shots.get(name),
                "metrics": {key: _plain(value) for key, value in figures.items() if _is_metric(key, value)},
            }
            for name, figures in found["results"].items()
        }
        return {"harness": _version(), "tasks": tasks}

    def _take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        from lm_eval import simple_evaluate
        from lm_eval.tasks import TaskManager

        from wetware.evaluation.harness.model import HarnessModel

        if self.folder is not None and not Path(self.folder).is_dir():
            raise DataError(f"no folder of tasks {self.folder!r}")
        try:
            manager = TaskManager(include_path=self.folder, include_defaults=self.folder is None)
        except Exception as error:
            raise DataError(f"the tasks in {self.folder!r} cannot be read: {_line(error)}") from error
        for name in self.tasks:
            if name not in manager.all_tasks:
                raise DataError(f"lm-eval knows no task {name!r}{nearest(name, manager.all_tasks)}")
        try:
            return simple_evaluate(
                HarnessModel(subject.model, subject.tokenizer, progress=progress),
                tasks=list(self.tasks),
                num_fewshot=self.shots,
                limit=self.max_per_task,
                task_manager=manager,
                bootstrap_iters=0,  # it would start as many processes as there are cores, for the errors of perplexities
                log_samples=False,
                random_seed=None,
                numpy_random_seed=None,
                torch_random_seed=None,
            )
        except Exception as error:  # a task is somebody's file and code: whatever goes wrong in it, its user is told
            raise DataError(f"lm-eval {', '.join(self.tasks)}: {_line(error)}") from error

    def table(self, figures: dict[str, Any]) -> Table:
        rows = [
            (task, f"{about['shots']}", f"{about['items']}", metric, "-" if value is None else f"{value:.4f}")
            for task, about in figures["tasks"].items()
            for metric, value in about["metrics"].items()
        ]
        note = f"Computed by lm-eval {figures['harness']}; a figure of another harness run compares when task and version do."
        return Table(("task", "examples", "items", "metric", "value"), tuple(rows), note)


def _is_metric(key: str, value: Any) -> bool:
    """The harness writes ``metric,filter``, and beside them an alias and standard errors, which were not asked for."""
    return "," in key and "_stderr," not in key and isinstance(value, (int, float))


def _plain(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"


def _version() -> str:
    from importlib.metadata import version

    return version("lm_eval")


@contextlib.contextmanager
def _own_dice() -> Generator[None]:
    """Tasks may seed and draw what is global: afterwards it is as it was."""
    import numpy as np
    import torch

    kept = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """What the harness prints stays off stdout, which may be JSON; its bars show in a terminal only."""
    with contextlib.ExitStack() as stack:
        if not sys.stderr.isatty():
            stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield
