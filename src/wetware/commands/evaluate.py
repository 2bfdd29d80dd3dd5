"""``wetware evaluate``."""

from __future__ import annotations

import argparse
import json

from rich.progress import Progress
from rich.table import Table

from wetware.commands.common import count, device, load_with_tokenizer
from wetware.commands.console import Console
from wetware.config import ConfigError, from_dict
from wetware.data import Corpus, DataError, Packed, Tokenizer, corpus_from, prepare
from wetware.evaluation import Report, evaluate
from wetware.models import LanguageModel
from wetware.models.engines import rounded
from wetware.training import checkpoint


def corpus_of(run: str) -> Corpus:
    """The text a run was trained on. Raises DataError when the folder does not say."""
    about = checkpoint.read_json(checkpoint.find(run) / "config.json").get("run")
    if about is None:
        raise DataError(f"{run!r} does not say what text it was trained on: give one with --data")
    return from_dict(about).corpus


def run(arguments: argparse.Namespace) -> int:
    model, tokenizer = load_with_tokenizer(arguments.run, device(arguments))
    try:
        corpus = corpus_from(arguments.data) if arguments.data else corpus_of(arguments.run)
    except ConfigError as error:
        raise checkpoint.CheckpointError(f"{arguments.run!r}: {error}") from None
    _, train, held_out = prepare(corpus, tokenizer)
    model = rounded(model, arguments.weights)
    report = with_bar(model, tokenizer, train, held_out, arguments.limit)
    if arguments.json:
        print(json.dumps(report.to_dict(), indent=1))
    else:
        show(Console(), arguments.run, report)
    return 0


def with_bar(
    model: LanguageModel,
    tokenizer: Tokenizer,
    train: Packed,
    held_out: Packed,
    limit: int | None = None,
    fresh: bool = True,
) -> Report:
    """Evaluate with a progress bar on the terminal's error channel, so that --json stays JSON."""
    console = Console(stderr=True)
    total = (1 + fresh) * min(limit or len(held_out), len(held_out))
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading held-out text", total=total)
        step = lambda tokens: bar.advance(task, tokens)  # noqa: E731
        return evaluate(model, tokenizer, train, held_out, limit=limit, fresh=fresh, progress=step)


def show(console: Console, name: str, report: Report) -> None:
    """The report as a table."""
    table = Table(title=f"{name}: {count(report.parameters)} parameters", title_justify="left")
    table.add_column("held-out text", no_wrap=True)
    for column in ("bits per byte", "bits per token", "perplexity"):
        table.add_column(column, justify="right")
    for label, score in (("state carried", report.carried), (f"fresh every {report.context} tokens", report.fresh)):
        if score is None:
            continue
        row = (f"{score.bits_per_byte:.4f}", f"{score.bits_per_token:.3f}", f"{score.perplexity:.1f}")
        table.add_row(label, *row, style="bold" if score is report.carried else "")
    for line in report.references:
        table.add_row(line.name, f"{line.bits_per_byte:.4f}", "", f"{line.perplexity:.1f}", style="dim")
    console.print(table)
    facts = [f"{count(report.carried.tokens)} tokens, {count(report.carried.bytes)} bytes"]
    if report.carried.rates:
        facts.append("firing by layer " + " ".join(f"{rate:.1%}" for rate in report.carried.rates))
    facts.append(f"state {count(report.state_bytes)} bytes a sequence after {report.context} tokens")
    console.print("; ".join(facts))
