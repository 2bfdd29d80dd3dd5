"""``wetware tag``: train, find, evaluate."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from rich.table import Table

from wetware.commands.common import count, device, note_speed
from wetware.commands.console import Console
from wetware.commands.progress import reporter
from wetware.commands.train import limit
from wetware.config import ConfigError, with_
from wetware.data import DataError
from wetware.recipes import tagging_recipe
from wetware.tagging import Delayed, Figures, TaggerModel, TagRun, TagTrainer, load_tagger, measure
from wetware.tagging.labelled import tagged_corpus_from
from wetware.tagging.redaction import Piece, kind_mark, pieces, read_characters, redact, streamed, to_bytes
from wetware.tagging.rules import Rules, RuleTagger
from wetware.training import Reporter
from wetware.training.memory import keep_buffers

RULES = "rules"  # in the place of a run: the baseline, which needs none
USUAL = Path("runs/tag_spiking")  # where ``wetware tag train`` puts its run


def run(arguments: argparse.Namespace) -> int:
    return {"train": _train, "find": _find, "evaluate": _evaluate}[arguments.action](arguments)


# --------------------------------------------------------------------------------------------------------------- training


def _train(arguments: argparse.Namespace) -> int:
    report = reporter()
    try:
        return _trained(arguments, report)
    finally:
        report.close()


def _trained(arguments: argparse.Namespace, report: Reporter) -> int:
    where = device(arguments)
    keep_buffers()
    note_speed(where, report.message)
    folder, wanted = Path(arguments.out or Path("runs") / arguments.recipe), limit(arguments)
    if arguments.resume:
        if arguments.settings or arguments.data is not None or arguments.seed is not None:
            raise ConfigError("--resume goes on with the run as it is: only its length may be given")
        trainer = TagTrainer.resume(folder, limit=wanted, device=where, reporter=report)
        report.message(f"resumed {folder} at step {trainer.step}, {count(trainer.characters)} characters")
    else:
        trainer = TagTrainer(_wanted(arguments), folder, device=where, reporter=report)
    kind = type(trainer.run.model.cell).__name__
    about = f"{kind}, {type(trainer.run.model.context).__name__}: {count(trainer.model.parameter_count())} parameters"
    report.message(f"{about} on {where}, into {folder}")
    stopped = trainer.fit()
    if stopped.signal is not None:
        name = signal.Signals(stopped.signal).name
        report.message(f"{name}: stopped at step {stopped.step} with a checkpoint; add --resume to go on")
        return 128 + stopped.signal
    by = "" if folder == USUAL else f" --with {folder}"
    report.message(f"done: try  wetware tag evaluate {folder}   or   wetware tag FILE --redact{by}")
    return 0


def _wanted(arguments: argparse.Namespace) -> TagRun:
    made = tagging_recipe(arguments.recipe)
    if arguments.data is not None:
        made = replace(made, corpus=tagged_corpus_from(arguments.data))
    for setting in arguments.settings:
        path, sign, value = setting.partition("=")
        if not sign or not path:
            raise ConfigError(f"--set {setting!r}: expected PATH=VALUE, as in model.depth=3")
        path = f"model.{path}" if path.partition(".")[0] in vars(made.model) else path
        made = with_(made, path, value)
    if arguments.seed is not None:
        made = replace(made, seed=arguments.seed)
    wanted = limit(arguments)
    return made if wanted is None else with_(made, "training.limit", wanted)


def _finder(arguments: argparse.Namespace) -> tuple[Rules | TaggerModel, TagRun | None]:
    if arguments.run == RULES:
        return RuleTagger().build(), None
    where = device(arguments)
    note_speed(where, lambda text: print(text, file=sys.stderr))
    return load_tagger(arguments.run, where)


# ---------------------------------------------------------------------------------------------------------------- finding


def _find(arguments: argparse.Namespace) -> int:
    if arguments.redact and arguments.json:
        raise ConfigError("--redact writes the text, --json what is in it: choose one")
    if arguments.run is None:
        if not USUAL.exists():
            raise ConfigError(
                f"no tagger in {USUAL}: make one (wetware tag train), or choose: --with RUN, --with rules"
            )
        arguments.run = str(USUAL)
    finder, _ = _finder(arguments)
    with _source(arguments.text) as source:
        out = None
        if arguments.out is not None:
            _not_the_same(arguments.text, arguments.out)
            out = Path(arguments.out).open("wb")  # noqa: SIM115 - closed below, stdout is not
        target = out or sys.stdout.buffer
        try:
            for piece in _pieces(finder, source):
                target.write(_shown(piece, arguments))
                target.flush()
        finally:
            if out is not None:
                out.close()
    return 0


def _not_the_same(text: str, out: str) -> None:
    """A file that is written over while it is read would be lost."""
    if Path(out).exists() and Path(text).exists() and Path(out).samefile(text):
        raise ConfigError(f"--out {out!r} is the file that is read: choose another")


def _source(text: str) -> IO[bytes]:
    """Standard input for ``-``, the file of that name, or the text itself."""
    if text == "-":
        return sys.stdin.buffer
    try:
        there = Path(text).is_file()
        if not there and Path(text).is_dir():
            raise DataError(f"{text!r} is a folder; a file, a text, or - for standard input is wanted")
    except (OSError, ValueError):  # too long for a name, or with a zero in it
        there = False
    if there:
        return Path(text).open("rb")
    import io

    print(f"wetware tag: no file of that name: the text itself is read ({len(text)} characters)", file=sys.stderr)
    return io.BytesIO(to_bytes(text))


def _pieces(finder: Rules | TaggerModel, source: Any) -> Iterator[Piece]:
    blocks = read_characters(source)
    if isinstance(finder, TaggerModel) and isinstance(finder.config.context, Delayed):
        return streamed(finder, blocks)
    return pieces(finder, blocks)


def _shown(piece: Piece, arguments: argparse.Namespace) -> bytes:
    """What is written of a piece: the text without its private data, or a line for each entity."""
    if arguments.redact:
        return to_bytes(redact(piece, kind_mark))
    lines = ""
    for span in piece.spans:
        value = piece.text[span.start - piece.start : span.end - piece.start]
        if arguments.json:
            lines += json.dumps({**span._asdict(), "text": value}) + "\n"
        else:
            lines += f"{span.start}\t{span.end}\t{span.kind}\t{json.dumps(value, ensure_ascii=False)[1:-1]}\n"
    return to_bytes(lines)


# ------------------------------------------------------------------------------------------------------------- evaluation


def _evaluate(arguments: argparse.Namespace) -> int:
    finder, trained = _finder(arguments)
    corpus = trained.corpus if trained and not arguments.data else tagged_corpus_from(arguments.data or "templates")
    examples = corpus.build().held_out("test")[: arguments.limit]
    figures = measure(examples, finder.find([example.text for example in examples]))
    if arguments.json:
        print(json.dumps(figures.to_dict(), indent=1))
    else:
        _show(figures, Console())
    return 0


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _show(figures: Figures, console: Console) -> None:
    title = f"{figures.texts} test texts, {figures.characters} characters"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    columns = ("kind", "there", "prec.", "recall", "F1", "partial", "ch. recall", "ch. prec.")
    for column in columns:
        table.add_column(column, justify="left" if column == "kind" else "right", no_wrap=True)
    for kind, found in (*figures.kinds.items(), ("all", figures.all)):
        table.add_row(kind, str(found.entities), *(_figure(value) for value in found[1:]), end_section=kind == "all")
    console.print(table)
    note = (
        "prec., recall, F1: kind and both ends right. partial: an overlap counts half. ch. recall: of the private "
        "characters, those tagged by whatever kind; the rest leaks. ch. prec.: of the tagged ones, those that are private."
    )
    console.print(note, style="dim")
