"""``wetware import``."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.markup import escape

from wetware.commands.common import count
from wetware.commands.console import Console
from wetware.training.checkpoint import save
from wetware.training.importing import Imported, import_spikewhale


def run(arguments: argparse.Namespace) -> int:
    found = import_spikewhale(arguments.file, arguments.names, arguments.recurrent_rows, arguments.input_gain)
    about = {"file": Path(arguments.file).name, "kind": arguments.kind, **_about(found)}
    folder = save(found.model, arguments.out, found.tokenizer, imported=about)
    console = Console()
    console.print(f"[bold]{escape(about['file'])}[/bold]: {count(found.model.parameter_count())} parameters placed")
    for ours, theirs in found.sources.items():
        console.print(f"  {ours} = {theirs}", markup=False, highlight=False, soft_wrap=True)
    if found.left:
        console.print(f"[yellow]not placed[/yellow]: {len(found.left)} tensors")
        for name, shape in found.left.items():
            console.print(f"  {name} {list(shape)}", markup=False, highlight=False, soft_wrap=True)
    for note in found.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    console.print(f"in {folder}; look at it: wetware inspect {folder} --picture", markup=False, soft_wrap=True)
    return 0


def _about(found: Imported) -> dict:
    left = {name: list(shape) for name, shape in found.left.items()}
    return {"tensors": found.sources, "not_placed": left, "notes": list(found.notes)}
