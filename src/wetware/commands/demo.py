"""``wetware demo``: a spiking network and a transformer learn the same text, and are compared on the same held-out part."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from rich.markup import escape
from rich.table import Table

from wetware.commands.common import count, note_speed
from wetware.commands.console import Console
from wetware.commands.evaluate import corpus_of, with_bar
from wetware.commands.progress import reporter
from wetware.config import with_
from wetware.data import prepare
from wetware.data.files import write_atomically
from wetware.evaluation import Report
from wetware.models.generation import Sampling, generate
from wetware.pictures import curves, terminal_curves
from wetware.recipes import about, recipe
from wetware.training import CheckpointError, Minutes, Trainer, checkpoint, load
from wetware.training.memory import keep_buffers

CONTESTANTS = ("real_sam_small", "gpt_small")
PROMPT = "The people of the United States"


def _train(name: str, folder: Path, minutes: float, console: Console) -> int | None:
    """Train one contestant, going on where an earlier demo was stopped; gives the signal that stopped it, if one did."""
    console.rule(f"[bold]{name}[/bold]")
    console.print(about(name).replace("\n", " "))
    report = reporter()
    run = with_(recipe(name), "training.limit", Minutes(count=minutes))
    run = with_(run, "monitoring.evaluate_every", 100)
    try:
        if checkpoint.steps(folder):
            trainer = Trainer.resume(folder, limit=Minutes(count=minutes), reporter=report)
        else:
            trainer = Trainer(run, folder, reporter=report)
        return trainer.fit().signal if trainer.progress < 1 else None
    finally:
        report.close()


def run(arguments: argparse.Namespace) -> int:
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    keep_buffers()
    console, out = Console(), Path(arguments.out)
    note_speed(torch.device("cpu"), console.print)
    console.print(
        f"Two models of the same size learn English from 227 messages of US presidents, {arguments.minutes:g} minutes each. "
        "Then both read 22 messages they never saw. Ctrl-C stops; the same command goes on."
    )
    folders = {name: out / name for name in CONTESTANTS}
    for name, folder in folders.items():
        stopped = _train(name, folder, arguments.minutes, console)
        if stopped is not None:
            console.print("stopped; the same command goes on from here")
            return 128 + stopped
    reports, samples = {}, {}
    for name, folder in folders.items():
        console.print(f"{name} reads the held-out messages")
        reports[name], samples[name] = _judge(folder)
    _show(console, out, folders, reports, samples)
    return 0


def _judge(folder: Path) -> tuple[Report, str]:
    model, tokenizer = load(folder)
    if tokenizer is None:
        raise CheckpointError(f"{str(folder)!r} has no tokenizer.json")
    _, train, held_out = prepare(corpus_of(str(folder)), tokenizer)
    report = with_bar(model, tokenizer, train, held_out, fresh=False)
    return report, generate(model, tokenizer, PROMPT, tokens=80, sampling=Sampling(temperature=0.7, top_k=40), seed=1)


def _show(console: Console, out: Path, folders: dict, reports: dict[str, Report], samples: dict[str, str]) -> None:
    lines = {line.name: line.bits_per_byte for line in next(iter(reports.values())).references}
    console.rule("[bold]both[/bold]")
    console.print(terminal_curves(folders, lines, width=min(100, console.width)), markup=False, soft_wrap=True)
    picture = curves(folders, lines, out / "curves.png")
    table = Table(title="held-out text, state carried", title_justify="left")
    for column in ("", "bits per byte", "parameters", "tokens read", "firing", "state of one sequence"):
        table.add_column(column, justify="left" if not column else "right", no_wrap=not column)
    for name, report in reports.items():
        rates = report.carried.rates
        firing = f"{sum(rates) / len(rates):.1%}" if rates else "-"
        tokens = checkpoint.read_json(checkpoint.steps(folders[name])[-1] / "trainer.json")["tokens"]
        state = f"{report.state_bytes / 1024:.0f} KiB"
        bits = f"{report.carried.bits_per_byte:.4f}"
        table.add_row(f"[bold]{name}[/bold]", bits, count(report.parameters), count(tokens), firing, state)
    for line in next(iter(reports.values())).references:
        table.add_row(f"[dim]{line.name}[/dim]", f"{line.bits_per_byte:.4f}", "", "", "", "")
    console.print(table)
    for name, text in samples.items():
        console.print(f"\n[bold]{name}[/bold] writes: [dim]{PROMPT}[/dim][italic]{escape(text)}[/italic]")
    results = {name: report.to_dict() for name, report in reports.items()}
    write_atomically(out / "results.json", json.dumps(results, indent=1))
    sam = folders[CONTESTANTS[0]]
    console.print(f"\ncurves as a picture: {picture}; figures: {out / 'results.json'}")
    console.print("what to type next (in .venv/bin, or after activating .venv):")
    for command in (
        f'wetware generate {sam} --prompt "My fellow citizens"',
        f"wetware chat {sam}",
        f"wetware train {CONTESTANTS[0]} --out {sam} --resume --minutes 30",
        f"wetware mechanisms {CONTESTANTS[0]}",
    ):
        console.print(f"  {escape(command)}")
