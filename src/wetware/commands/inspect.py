"""``wetware inspect``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from wetware import __version__
from wetware.commands import inspect_synapses
from wetware.commands.common import count, device, load_with_tokenizer
from wetware.commands.console import Console
from wetware.commands.evaluate import bar, corpus_of, run_of, show
from wetware.config import ConfigError
from wetware.data import corpus_from, prepare
from wetware.data.files import write_atomically
from wetware.evaluation import Results, Subject, ask
from wetware.evaluation.document import Document
from wetware.evaluation.inspection import (
    Layer,
    Observing,
    Sentence,
    assortativities,
    first_sentence,
    layers_of,
    observe,
    questions,
    read_sentence,
)
from wetware.evaluation.suite_report import document
from wetware.models import BioNanochat, LanguageModel
from wetware.pictures.architecture import THEMES, architecture
from wetware.pictures.lineage import lineage
from wetware.pictures.measures import draw
from wetware.pictures.phases import phases
from wetware.pictures.sentence import raster, traces
from wetware.pictures.stress import stress
from wetware.training import load

LIMIT = 100_000
HISTORY = {"lineage": lineage, "phases": phases}  # what happened in training, drawn for any model


def run(arguments: argparse.Namespace) -> int:
    out = Path(arguments.out or Path(arguments.run) / "inspection")
    path = Path(arguments.run)
    drawn = [file for name, draws in HISTORY.items() for file in _of_training(path, out, draws, name)]
    if drawn:
        model, _ = load(arguments.run, device(arguments))
        if not layers_of(model):  # then this is all that there is to tell
            names = [str(file) for file in drawn]
            told = f"in {out}: {', '.join(file.name for file in drawn)}"
            print(json.dumps({"pictures": names}, indent=1) if arguments.json else told)
            return 0
    return _picture(arguments, out) if arguments.picture else _everything(arguments, out)


def _of_training(run: Path, out: Path, draws: Callable[[Path, Path], Path | None], name: str) -> list[Path]:
    """A picture of what happened in training, as png and svg, when the run's folder tells of it."""
    if not (run / "metrics.jsonl").exists():
        return []
    files = (draws(run, out / f"{name}.{suffix}") for suffix in ("png", "svg"))
    return [file for file in files if file is not None]


def _picture(arguments: argparse.Namespace, out: Path) -> int:
    """The network alone, from the checkpoint alone."""
    model, _ = load(arguments.run, device(arguments))
    name = Path(arguments.run).resolve().name
    console, pictures = Console(), _networks(model, name, out)
    if not (found := assortativities(model)):
        console.print("no assortativity: that needs gene programs and recurrent weights")
    table = Table(title="mean |W_rec| within and between gene programs", title_justify="left", title_style="bold")
    for column in ("layer", "within", "between", "ratio", "p"):
        table.add_column(column, justify="right" if column != "layer" else "left")
    for index, part in found.items():
        table.add_row(str(index), *(f"{value:.4g}" for value in (part.within, part.between, part.ratio, part.p)))
    if arguments.json:
        layers = {str(index): {**part._asdict(), "ratio": part.ratio} for index, part in found.items()}
        print(json.dumps({"pictures": [str(file) for file in pictures], "assortativity": layers}, indent=1))
        return 0
    if found:
        console.print(table)
    console.print(f"in {out}: {', '.join(file.name for file in pictures)}", markup=False)
    return 0


def _neurons(model: LanguageModel) -> tuple[Layer, ...]:
    layers = layers_of(model)
    if not layers:
        raise ConfigError(f"{type(model.config).__name__} has no neurons: there is nothing to inspect")
    return layers


def _networks(model: LanguageModel, name: str, out: Path) -> list[Path]:
    """The picture of the network, light and dark."""
    layers, drawn = _neurons(model), []
    title = f"{name}: {type(model.config).__name__}, {count(model.parameter_count())} parameters"
    with bar() as shown:
        task = shown.add_task("drawing the network", total=len(THEMES))
        for theme, colours in THEMES.items():
            drawn.append(architecture(layers, title, out / f"architecture_{theme}.png", colours))
            shown.advance(task)
    return drawn


def _everything(arguments: argparse.Namespace, out: Path) -> int:
    where = device(arguments)
    model, tokenizer = load_with_tokenizer(arguments.run, where)
    if isinstance(model.config, BioNanochat):
        return inspect_synapses.run(arguments, model, tokenizer, out)
    layers = _neurons(model)
    corpus = corpus_from(arguments.data) if arguments.data else corpus_of(arguments.run)
    _, train, held_out = prepare(corpus, tokenizer)
    limit, name = arguments.limit or LIMIT, Path(arguments.run).resolve().name
    subject = Subject(name, model, tokenizer, corpus, train, held_out, limit, run_of(arguments.run))
    out.mkdir(parents=True, exist_ok=True)
    results = _asked(subject, limit)
    sentence = read_sentence(model, tokenizer, arguments.text or first_sentence(held_out, tokenizer))
    pictures = _pictures(results, subject, out)
    report = document(f"Inspection of {name}", _facts(subject), results, pictures)
    if "wiring" not in results.tables:
        report.heading("The network")
        report.picture(pictures["wiring"], "Every neuron, and the strongest recurrent weights")
    if drawn := _of_training(Path(arguments.run), out, stress, "stress"):
        report.heading("Stress in training")
        report.picture(drawn[0], "Loss, the stress that was made of it, and how far it spread the gains of neurons")
    _tell_sentence(report, sentence, layers, name, out)
    about = {"run": str(arguments.run), "model": type(model.config).__name__, "wetware": __version__, "limit": limit}
    text = json.dumps({**about, **results.to_dict(), "sentence": sentence.to_dict()}, indent=1, allow_nan=False)
    write_atomically(out / "results.json", text + "\n")
    write_atomically(out / "report.md", report.markdown())
    write_atomically(out / "report.html", report.html())
    if arguments.json:
        print(text)
    else:
        show(Console(), subject, results, out)
    return 0 if results.figures and not results.failed else 1


def _asked(subject: Subject, limit: int) -> Results:
    """Every question; the text is read once for those that only watch."""
    asked = questions(limit)
    with bar() as shown:
        task = shown.add_task("watching the neurons", total=1.0)
        seen = observe(subject, limit, lambda share: shown.update(task, completed=0.15 * share))
        given = {field.name: getattr(subject, field.name) for field in fields(subject)}
        tell = lambda share, title: shown.update(task, completed=0.15 + 0.85 * share, description=escape(title))  # noqa: E731
        return ask(Observing(**given, seen=seen), asked, tell)


def _facts(subject: Subject) -> list[str]:
    model = subject.model
    parts = [type(model.config).__name__, f"{count(model.parameter_count())} parameters", f"wetware {__version__}"]
    return [*parts, f"at most {subject.limit:,} held-out tokens of {type(subject.corpus).__name__}"]


def _pictures(results: Results, subject: Subject, out: Path) -> dict[str, Path]:
    """By the question's name; the network's is that of its wiring."""
    found = {}
    with bar() as shown:
        task = shown.add_task("drawing", total=len(results.figures))
        for name, figures in results.figures.items():
            if picture := draw(name, {subject.name: figures}, out / f"{name}.png"):
                found[name] = picture
            shown.advance(task)
    light, _ = _networks(subject.model, subject.name, out)
    return {"wiring": light, **found}


def _tell_sentence(report: Document, sentence: Sentence, layers: tuple[Layer, ...], name: str, out: Path) -> None:
    report.heading("One text, token by token")
    report.text("Every spike; neurons sorted by program and by how often they fired.")
    report.picture(raster(sentence, layers, name, out / "raster.png"), "Spikes of every layer over a text")
    if picture := traces(sentence, name, out / "traces.png"):
        report.heading("What the traits showed")
        report.picture(picture, "Traces of the traits over the same text")
    else:
        report.text("No trait of this model has anything to show over a text.")
