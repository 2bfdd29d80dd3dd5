"""``wetware recipes``."""

from __future__ import annotations

import argparse

import torch
from rich.table import Table

from wetware.commands.common import count
from wetware.commands.console import Console
from wetware.recipes import about, recipe, recipe_names, study_names


def run(arguments: argparse.Namespace) -> int:
    table = Table(box=None, pad_edge=False)
    for column in ("recipe", "parameters", "what it is"):
        table.add_column(
            column, justify="right" if column == "parameters" else "left", no_wrap=not column.startswith("what")
        )
    for name in recipe_names():
        with torch.device("meta"):
            parameters = recipe(name).model.module().parameter_count()
        table.add_row(f"[bold]{name}[/bold]", count(parameters), about(name).replace("\n", " "))
    console = Console()
    console.print(table)
    studies = Table(box=None, pad_edge=False)
    studies.add_column("study", no_wrap=True)
    studies.add_column("what it asks")
    for name in study_names():
        studies.add_row(f"[bold]{name}[/bold]", about(name).replace("\n", " "))
    console.print()
    console.print(studies)
    console.print("\n[dim]wetware train RECIPE trains one; wetware mechanisms RECIPE shows its parts;[/dim]")
    console.print("[dim]wetware study STUDY, or wetware study RECIPE, tells what each part is worth.[/dim]")
    return 0
