"""``wetware inspect`` of a bio-nanochat: what its synapses do, and whether reading leaves no trace."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from wetware import __version__
from wetware.commands.common import count
from wetware.commands.console import Console
from wetware.commands.evaluate import bar, corpus_of, run_of, show
from wetware.config import ConfigError
from wetware.data import Tokenizer, corpus_from, prepare
from wetware.data.files import write_atomically
from wetware.evaluation import Subject, ask
from wetware.evaluation.inspection import synaptic_questions
from wetware.evaluation.suite_report import document
from wetware.models import LanguageModel
from wetware.pictures.measures import draw

LIMIT = 256  # held-out tokens that are read one at a time
SHORT = {"synaptic_fatigue": "fatigue"}  # names of pictures


def run(arguments: argparse.Namespace, model: LanguageModel, tokenizer: Tokenizer, out: Path) -> int:
    """Report and picture of a model that was loaded; 0 when everything could be asked that applies."""
    if arguments.text is not None:
        raise ConfigError("--text: only for models with neurons; what a bio-nanochat reads is made of held-out text")
    corpus = corpus_from(arguments.data) if arguments.data else corpus_of(arguments.run)
    _, train, held_out = prepare(corpus, tokenizer)
    name = Path(arguments.run).resolve().name
    subject = Subject(name, model, tokenizer, corpus, train, held_out, arguments.limit, run_of(arguments.run))
    out.mkdir(parents=True, exist_ok=True)
    with bar() as shown:
        task = shown.add_task("", total=1.0)
        tell = lambda share, title: shown.update(task, completed=share, description=title)  # noqa: E731
        results = ask(subject, synaptic_questions(arguments.limit or LIMIT), tell)
    drawn = {
        key: draw(key, {name: found}, out / f"{SHORT.get(key, key)}.png") for key, found in results.figures.items()
    }
    pictures = {key: picture for key, picture in drawn.items() if picture is not None}
    facts = [type(model.config).__name__, f"{count(model.parameter_count())} parameters", f"wetware {__version__}"]
    report = document(f"Inspection of {name}", facts, results, pictures)
    about = {"run": str(arguments.run), "model": facts[0], "wetware": __version__}
    text = json.dumps({**about, **results.to_dict()}, indent=1, allow_nan=False)
    write_atomically(out / "results.json", text + "\n")
    write_atomically(out / "report.md", report.markdown())
    write_atomically(out / "report.html", report.html())
    if arguments.json:
        print(text)
    else:
        show(Console(), subject, results, out)
    return 0 if results.figures and not results.failed else 1
