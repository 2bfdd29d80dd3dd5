"""``wetware curriculum``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from rich.table import Table

from wetware.commands.common import count, device, note_speed
from wetware.commands.console import Console
from wetware.commands.progress import reporter
from wetware.commands.train import wanted
from wetware.config import ConfigError
from wetware.evaluation.phases import PhaseEnd, alike, phase_ends
from wetware.training import Reporter, Run, Trainer, checkpoint
from wetware.training.memory import keep_buffers

NOTE = "perplexity: of the phase's own held-out text; whole text: held-out bits per byte, the same text for every phase"


def run(arguments: argparse.Namespace) -> int:
    if arguments.seeds is not None:
        stopped = _train(arguments)
        if stopped is not None:
            return 128 + stopped
    elif given := [name for name in ("tokens", "out", "data", "settings") if getattr(arguments, name)]:
        raise ConfigError(f"--{given[0].replace('settings', 'set')} is for training a recipe: add --seeds N")
    groups = {tuple(folders): phase_ends(folders) for folders in alike(arguments.runs)}
    if arguments.json:
        told = [
            {"runs": [str(folder) for folder in folders], "phases": [end._asdict() for end in ends]}
            for folders, ends in groups.items()
        ]
        print(json.dumps(told, indent=1))
        return 0
    console = Console()
    for folders, ends in groups.items():
        console.print(_table(folders, ends))
        console.print()
    console.print(NOTE, style="dim", soft_wrap=True)
    return 0


def _train(arguments: argparse.Namespace) -> int | None:
    """Train every seed of a recipe and put the folders in the place of its name. Gives the signal that stopped it, if any."""
    if len(arguments.runs) > 1:
        raise ConfigError(f"--seeds trains one recipe, got {len(arguments.runs)}: {', '.join(arguments.runs)}")
    (arguments.recipe,) = arguments.runs
    arguments.steps = arguments.minutes = arguments.init_from = arguments.tokenizer = None
    where, report = device(arguments), reporter(stderr=arguments.json)
    keep_buffers()
    note_speed(where, report.message)
    out = Path(arguments.out or Path("runs") / arguments.recipe)
    arguments.runs = [out / f"seed-{seed}" for seed in range(arguments.seeds)]
    try:
        for seed, folder in enumerate(arguments.runs):
            arguments.seed = seed
            signal = _seed(wanted(arguments), folder, where, report)
            if signal is not None:
                report.message("stopped with a checkpoint; the same command goes on")
                return signal
    finally:
        report.close()
    return None


def _seed(run: Run, folder: Path, where: torch.device, report: Reporter) -> int | None:
    if run.training.curriculum is None:
        raise ConfigError("this recipe has no curriculum: --set training.curriculum=Curriculum, or real_sam_curriculum")
    if checkpoint.steps(folder):
        trainer = Trainer.resume(folder, device=where, reporter=report)
        if trainer.run != run.fitted(trainer.tokenizer.vocab_size, trainer.tokenizer.boundary):
            raise ConfigError(f"{str(folder)!r} holds another run than the one asked for: choose another --out")
    else:
        trainer = Trainer(run, folder, device=where, reporter=report)
    report.message(f"seed {run.seed}, into {folder}")
    return trainer.fit().signal if trainer.progress < 1 else None


def _table(folders: tuple[Path, ...], ends: list[PhaseEnd]) -> Table:
    names = ", ".join(folder.name for folder in folders)
    title = names if len(folders) == 1 else f"mean of {len(folders)} runs: {names}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("phase", "length", "read", "ended by", "loss", "perplexity", "firing", "whole text"):
        wraps = column == "ended by"  # where the terminal is narrow; a figure without its end says nothing
        left = wraps or column == "phase"
        table.add_column(column, justify="left" if left else "right", no_wrap=not wraps, min_width=9 if wraps else None)
    for end in ends:
        reached = "" if end.runs == len(folders) else f" ({end.runs} of {len(folders)})"
        why = ", ".join(reason if times == end.runs else f"{times} {reason}" for reason, times in end.why.items())
        firing = "" if end.firing is None else f"{end.firing:.1%}"
        figures = (f"{end.loss:.4f}", f"{end.perplexity:.2f}", firing, f"{end.fixed:.4f}")
        table.add_row(end.name + reached, str(end.chunk), count(end.tokens), why, *figures)
    return table
