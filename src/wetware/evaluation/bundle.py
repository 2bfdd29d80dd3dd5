"""Bundles of in-context tasks: a folder, or a zip that is read without being unpacked.

``core.yaml`` lists the tasks, ``eval_meta_data.csv`` their random baselines, ``eval_data/`` their items, one a line of JSON.
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from wetware.config import nearest
from wetware.data import DataError
from wetware.data.readers import checked_text, column_of, json_objects

TASKS, BASELINES, ITEMS = "core.yaml", "eval_meta_data.csv", "eval_data"
TEXTS = {
    "multiple_choice": ("query",),
    "schema": ("continuation",),
    "language_modeling": ("context", "continuation"),
}
"""The kinds of task, and the fields of their items that are texts."""
CHOICES = {"multiple_choice": "choices", "schema": "context_options"}
"""The field that holds the texts to choose among; ``gold`` says which of them is right, from 0."""


class Item(NamedTuple):
    """One item of a task. ``where``: its file and line."""

    where: str
    row: dict[str, Any]


class Task(NamedTuple):
    """One task of a bundle.

    file: of its items, below ``eval_data``. shots: how many solved examples come first. kind: one of :data:`TEXTS`.
    delimiter: what stands before a continuation. baseline: the accuracy of guessing, from 0 to 1.
    """

    label: str
    file: str
    shots: int
    kind: str
    delimiter: str
    baseline: float


class Bundle:
    """A bundle of tasks. Raises :class:`DataError`, which names file and line, for whatever is missing or wrong in it."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.root = self._root()

    def _root(self) -> Path | zipfile.Path:
        """Where ``core.yaml`` is: at the top, or one folder down, as bundles are published."""
        if not self.path.exists():
            raise DataError(f"no bundle {str(self.path)!r}: expected a zip or a folder that holds {TASKS}")
        if self.path.is_dir():
            top: Path | zipfile.Path = self.path
        else:
            try:
                top = zipfile.Path(zipfile.ZipFile(self.path))
            except (OSError, zipfile.BadZipFile) as error:
                raise DataError(f"cannot read {str(self.path)!r} as a zip: {error}") from None
        below = sorted((entry for entry in top.iterdir() if entry.is_dir()), key=lambda entry: entry.name)
        for folder in (top, *below):
            if (folder / TASKS).is_file():
                return folder
        raise DataError(f"{str(self.path)!r} holds no {TASKS}, neither at its top nor one folder down")

    def read(self, name: str) -> bytes:
        """The content of a file. A name that leads out of the bundle is refused."""
        pure = PurePosixPath(name.replace("\\", "/"))
        if pure.is_absolute() or ".." in pure.parts or ":" in pure.parts[0]:
            raise DataError(f"{self.where(name)}: leads out of the bundle")
        try:
            file = self.root / str(pure)
            if not file.is_file():
                raise DataError(f"missing file {self.where(name)}")
            return file.read_bytes()
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            # RuntimeError: a password is wanted, or a compression that this Python does not know
            raise DataError(f"cannot read {self.where(name)}: {error}") from None

    def where(self, name: str) -> str:
        return f"{self.root}/{name}".replace("//", "/")

    def tasks(self) -> list[Task]:
        """The tasks, in the order of ``core.yaml``."""
        import yaml

        try:
            content = yaml.safe_load(self.read(TASKS))
        except (yaml.YAMLError, ValueError) as error:
            raise DataError(f"{self.where(TASKS)}: not YAML: {' '.join(str(error).split())}") from None
        entries = content.get("icl_tasks") if isinstance(content, dict) else None
        if not isinstance(entries, list) or not entries:
            raise DataError(f"{self.where(TASKS)}: expected a list of tasks under 'icl_tasks'")
        baselines = self._baselines()
        return [self._task(entry, index, baselines) for index, entry in enumerate(entries, start=1)]

    def _baselines(self) -> dict[str, tuple[str, Any]]:
        """``{task: (where, percent)}``."""
        try:
            rows = csv.DictReader(io.StringIO(self.read(BASELINES).decode("utf-8-sig")))
            found = {}
            for row in rows:
                where = f"{self.where(BASELINES)}, line {rows.line_num}"
                found[column_of(row, "Eval Task", where)] = where, column_of(row, "Random baseline", where)
            return found
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{self.where(BASELINES)}: {error}") from None

    def _task(self, entry: Any, index: int, baselines: dict[str, tuple[str, Any]]) -> Task:
        where = f"{self.where(TASKS)}, task {index}"
        if not isinstance(entry, dict):
            raise DataError(f"{where}: expected keys and values, got {str(entry)[:60]!r}")
        label, file, kind = (
            checked_text(column_of(entry, key, where), f"{where}, {key}")
            for key in ("label", "dataset_uri", "icl_task_type")
        )
        where = f"{where} ({label})"
        if kind not in TEXTS:
            raise DataError(f"{where}: icl_task_type {kind!r}{nearest(kind, TEXTS)}")
        shots = column_of(entry, "num_fewshot", where)
        shots = shots[0] if isinstance(shots, list) and len(shots) == 1 else shots  # published bundles say [10]
        if not isinstance(shots, int) or isinstance(shots, bool) or shots < 0:
            raise DataError(f"{where}: num_fewshot {shots!r}: expected a whole number from 0")
        delimiter = checked_text(entry.get("continuation_delimiter", " "), f"{where}, continuation_delimiter")
        if label not in baselines:
            raise DataError(f"{self.where(BASELINES)}: no row for the task {label!r}{nearest(label, baselines)}")
        return Task(label, file, shots, kind, delimiter, _share(*baselines[label]))

    def items(self, task: Task) -> list[Item]:
        """The items of a task, checked."""
        name = f"{ITEMS}/{task.file}"
        lines = self.read(name).splitlines()
        found = [Item(where, row) for where, row in json_objects(lines, self.where(name))]
        for item in found:
            _check(task, item)
        if not found:
            raise DataError(f"{self.where(name)}: no items")
        if task.shots >= len(found):
            need = f"{task.label} asks for {task.shots} examples beside each item"
            raise DataError(f"{self.where(name)}: {need}, and there are {len(found)} items")
        return found


def _share(where: str, percent: Any) -> float:
    try:
        share = float(percent) / 100
    except (TypeError, ValueError):
        share = -1.0
    if not 0 <= share < 1:
        raise DataError(f"{where}: Random baseline {percent!r}: expected per cent, from 0 to below 100")
    return share


def _check(task: Task, item: Item) -> None:
    for key in TEXTS[task.kind]:
        checked_text(column_of(item.row, key, item.where), f"{item.where}, {key}")
    if task.kind not in CHOICES:
        endings = [item.row["continuation"]]
    else:
        key = CHOICES[task.kind]
        options, gold = column_of(item.row, key, item.where), column_of(item.row, "gold", item.where)
        if not isinstance(options, list) or len(options) < 2:
            raise DataError(f"{item.where}: {key} {str(options)[:60]!r}: expected a list of two or more texts")
        for option in options:
            checked_text(option, f"{item.where}, {key}")
        if not isinstance(gold, int) or isinstance(gold, bool) or not 0 <= gold < len(options):
            raise DataError(f"{item.where}: gold {gold!r}: allowed 0 to {len(options) - 1}")
        endings = options if task.kind == "multiple_choice" else [item.row["continuation"]]
    # White space at the end of the delimiter is scored with the continuation: then there is something, if little.
    if not task.delimiter[len(task.delimiter.rstrip()) :] and not all(endings):
        raise DataError(f"{item.where}: an empty continuation cannot be scored")
