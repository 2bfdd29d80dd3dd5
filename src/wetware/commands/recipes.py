"""``wetware recipes``."""

from __future__ import annotations

import argparse
from typing import Any

import torch
from rich.table import Table

from wetware.commands.common import count
from wetware.commands.console import Console
from wetware.recipes import about, recipe, recipe_names, study_names, tagging_recipe, tagging_recipe_names


def run(arguments: argparse.Namespace) -> int:
    table = Table(box=None, pad_edge=False)
    for column in ("recipe", "parameters", "what it is"):
        table.add_column(
            column, justify="right" if column == "parameters" else "left", no_wrap=not column.startswith("what")
        )
    _add(table, {name: recipe(name).model for name in recipe_names()})
    console = Console()
    console.print(table)
    taggers = Table(box=None, pad_edge=False)
    taggers.add_column("tagger", no_wrap=True)
    taggers.add_column("parameters", justify="right", no_wrap=True)
    taggers.add_column("what it is")
    _add(taggers, {name: tagging_recipe(name).model for name in tagging_recipe_names()})
    console.print()
    console.print(taggers)
    studies = Table(box=None, pad_edge=False)
    studies.add_column("study", no_wrap=True)
    studies.add_column("what it asks")
    for name in study_names():
        studies.add_row(f"[bold]{name}[/bold]", about(name).replace("\n", " "))
    console.print()
    console.print(studies)
    console.print("\n[dim]wetware train RECIPE trains one; wetware mechanisms RECIPE shows its parts;[/dim]")
    console.print("[dim]wetware tag train TAGGER trains one that finds private data;[/dim]")
    console.print("[dim]wetware study STUDY, or wetware study RECIPE, tells what each part is worth.[/dim]")
    return 0


def _add(table: Table, models: dict[str, Any]) -> None:
    for name, model in models.items():
        with torch.device("meta"):
            parameters = model.module().parameter_count()
        table.add_row(f"[bold]{name}[/bold]", count(parameters), about(name).replace("\n", " "))
