"""``wetware curriculum``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.table import Table

from wetware.commands.common import count
from wetware.commands.console import Console
from wetware.evaluation.phases import PhaseEnd, alike, phase_ends

NOTE = "perplexity: of the phase's own held-out text; whole text: held-out bits per byte, the same text for every phase"


def run(arguments: argparse.Namespace) -> int:
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


def _table(folders: tuple[Path, ...], ends: list[PhaseEnd]) -> Table:
    names = ", ".join(folder.name for folder in folders)
    title = names if len(folders) == 1 else f"mean of {len(folders)} runs: {names}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("phase", "length", "read", "ended by", "loss", "perplexity", "firing", "whole text"):
        table.add_column(column, justify="left" if column in ("phase", "ended by") else "right", no_wrap=True)
    for end in ends:
        reached = "" if end.runs == len(folders) else f" ({end.runs} of {len(folders)})"
        why = ", ".join(reason if times == end.runs else f"{times} {reason}" for reason, times in end.why.items())
        firing = "" if end.firing is None else f"{end.firing:.1%}"
        figures = (f"{end.loss:.4f}", f"{end.perplexity:.2f}", firing, f"{end.fixed:.4f}")
        table.add_row(end.name + reached, str(end.chunk), count(end.tokens), why, *figures)
    return table
