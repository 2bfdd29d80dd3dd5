"""``wetware evaluate``."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console as Plain
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from wetware import __version__
from wetware.commands.common import count, device, load_with_tokenizer
from wetware.commands.console import Console
from wetware.config import ConfigError, from_dict, snake
from wetware.data import Corpus, DataError, Packed, Tokenizer, corpus_from, prepare
from wetware.data.files import write_atomically
from wetware.evaluation import Measure, Report, Results, Subject, ask, chosen, evaluate
from wetware.evaluation.suite_report import document
from wetware.models import LanguageModel
from wetware.models.engines import rounded
from wetware.pictures.measures import draw
from wetware.training import Run, checkpoint

# The field of each measure that asks many items, which says how many at most.
MOST = {"core": "max_per_task", "minimal_pairs": "max_per_phenomenon", "lm_eval": "max_per_task"}


def run_of(run: str) -> Run | None:
    """How a run was trained, if its folder says."""
    about = checkpoint.read_json(checkpoint.find(run) / "config.json").get("run")
    try:
        return None if about is None else from_dict(about)
    except ConfigError as error:
        raise checkpoint.CheckpointError(f"{run!r}: {error}") from None


def corpus_of(run: str) -> Corpus:
    """The text a run was trained on. Raises DataError when the folder does not say."""
    about = run_of(run)
    if about is None:
        raise DataError(f"{run!r} does not say what text it was trained on: give one with --data")
    return about.corpus


def subject_of(arguments: argparse.Namespace) -> Subject:
    """The run that is measured, with its text."""
    where = device(arguments)
    model, tokenizer = load_with_tokenizer(arguments.run, where, arguments.stress)
    corpus = corpus_from(arguments.data) if arguments.data else corpus_of(arguments.run)
    _, train, held_out = prepare(corpus, tokenizer)
    model = rounded(model, arguments.weights)
    name, about = Path(arguments.run).resolve().name, run_of(arguments.run)
    return Subject(name, model, tokenizer, corpus, train, held_out, arguments.limit, about, arguments.weights)


def measures_of(arguments: argparse.Namespace) -> list[Measure]:
    """What is asked: a suite or the measures named, and every measure that a file was given for."""
    given: dict[str, dict[str, Any]] = {}
    bundle = arguments.eval_bundle_zip or arguments.eval_bundle_dir
    for flag, name, field, value in (
        ("--eval-bundle-zip" if arguments.eval_bundle_zip else "--eval-bundle-dir", "core", "bundle", bundle),
        ("--pairs", "minimal_pairs", "file", arguments.pairs),
        ("--lm-eval-dir", "lm_eval", "folder", arguments.lm_eval_dir),
    ):
        if value is None:
            continue
        if not Path(value).exists():
            raise DataError(f"{flag}: no such file or folder: {value!r}")
        given[name] = {field: value}
    names = [name.strip() for name in (arguments.tasks or "").split(",") if name.strip()]
    if arguments.tasks is not None and not names:
        raise ConfigError(f"--tasks {arguments.tasks!r}: expected names, separated by commas")
    asked = chosen(arguments.suite, names, given)
    if arguments.max_items is None:
        return asked
    fields = {measure: MOST.get(snake(type(measure).__name__)) for measure in asked}
    return [replace(measure, **{field: arguments.max_items}) if field else measure for measure, field in fields.items()]


def run(arguments: argparse.Namespace) -> int:
    asked = measures_of(arguments)
    subject = subject_of(arguments)
    out = Path(arguments.out or Path(arguments.run) / "evaluation")
    out.mkdir(parents=True, exist_ok=True)  # before the work: a folder that cannot be written is known at once
    results = _with_bar(subject, asked)
    about = _about(arguments, subject)
    text = json.dumps({**about, **results.to_dict()}, indent=1, allow_nan=False)
    pictures = {}
    for name, figures in results.figures.items():
        if picture := draw(name, {subject.name: figures}, out / f"{name}.png"):
            pictures[name] = picture
    write_atomically(out / "results.json", text + "\n")
    facts = [f"{key.replace('_', ' ')} {value}" for key, value in about.items() if key != "run" and value is not None]
    report = document(f"Evaluation of {subject.name}", facts, results, pictures)
    write_atomically(out / "report.md", report.markdown())
    write_atomically(out / "report.html", report.html())
    if arguments.json:
        print(text)
    else:
        show(Console(), subject, results, out)
    return 0 if results.figures and not results.failed else 1


def _about(arguments: argparse.Namespace, subject: Subject) -> dict[str, Any]:
    return {
        "run": str(arguments.run),
        "model": type(subject.model.config).__name__,
        "parameters": subject.model.parameter_count(),
        "wetware": __version__,
        "suite": None if arguments.tasks else arguments.suite or "quick",
        "text": type(subject.corpus).__name__,
        "limit": subject.limit,
        "weights": subject.weights,
        "stress": arguments.stress,
        "device": str(next(subject.model.parameters()).device),
    }


def bar() -> Progress:
    """A bar on the terminal's error channel, so that --json stays JSON."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(elapsed_when_finished=True))
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _with_bar(subject: Subject, asked: list[Measure]) -> Results:
    with bar() as shown:
        task = shown.add_task("", total=1.0)
        return ask(subject, asked, lambda share, title: shown.update(task, completed=share, description=title))


def with_bar(
    model: LanguageModel,
    tokenizer: Tokenizer,
    train: Packed,
    held_out: Packed,
    limit: int | None = None,
    fresh: bool = True,
) -> Report:
    """Bits per byte alone, with a bar."""
    total = (1 + fresh) * min(limit or len(held_out), len(held_out))
    with bar() as shown:
        task = shown.add_task("reading held-out text", total=total)
        step = lambda tokens: shown.advance(task, tokens)  # noqa: E731
        return evaluate(model, tokenizer, train, held_out, limit=limit, fresh=fresh, progress=step)


def show(console: Plain, subject: Subject, results: Results, out: Path) -> None:
    """Every table, then what refused and what failed."""
    console.print(f"[bold]{escape(subject.name)}[/bold]: {count(subject.model.parameter_count())} parameters")
    for name, figures in results.tables.items():
        table = Table(title=escape(results.titles[name]), title_justify="left", title_style="bold")
        for index, column in enumerate(figures.columns):
            table.add_column(escape(column), justify="right" if index else "left", overflow="fold")
        for row in figures.rows:
            table.add_row(*(escape(cell) for cell in row))
        console.print(table)
        if figures.note:
            console.print(escape(figures.note), style="dim")
        console.print()
    for label, style, reasons in (("not asked", "yellow", results.refused), ("failed", "red", results.failed)):
        for name, reason in reasons.items():
            console.print(f"[{style}]{label}[/{style}] {name}: {escape(reason)}")
    console.print(f"in {out}: report.md, report.html, results.json and pictures", markup=False)
