"""``wetware import``."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.markup import escape

from wetware.commands.common import count
from wetware.commands.console import Console
from wetware.config import ConfigError
from wetware.data import load_tokenizer
from wetware.training.checkpoint import save
from wetware.training.importing import Imported, import_nanochat, import_spikewhale


def run(arguments: argparse.Namespace) -> int:
    found = _found(arguments)
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
    console.print(f"in {folder}; {_next(arguments, found, folder)}", markup=False, soft_wrap=True)
    return 0


# Which options say something about which kind of file.
OPTIONS = {"spikewhale": ("names", "recurrent_rows", "input_gain"), "nanochat": ("heads", "tokenizer")}


def _found(arguments: argparse.Namespace) -> Imported:
    for kind, options in OPTIONS.items():
        given = [name for name in options if getattr(arguments, name) is not None]
        if kind != arguments.kind and given:
            flag = given[0].removesuffix("s" if given[0] == "names" else "").replace("_", "-")
            raise ConfigError(f"--{flag} is of a {kind} file, and this is to be a {arguments.kind}")
    if arguments.kind == "nanochat":
        tokenizer = load_tokenizer(arguments.tokenizer) if arguments.tokenizer is not None else None
        return import_nanochat(arguments.file, arguments.heads, tokenizer)
    rows = arguments.recurrent_rows or "auto"
    return import_spikewhale(arguments.file, arguments.names or (), rows, arguments.input_gain)


def _next(arguments: argparse.Namespace, found: Imported, folder: Path) -> str:
    if arguments.kind == "spikewhale":
        return f"look at it: wetware inspect {folder} --picture"
    if found.tokenizer is not None:
        return f"try: wetware generate {folder}"
    return f"make its synapses live: wetware convert {folder} --to bio_nanochat"


def _about(found: Imported) -> dict:
    left = {name: list(shape) for name, shape in found.left.items()}
    return {"tensors": found.sources, "not_placed": left, "notes": list(found.notes)}
