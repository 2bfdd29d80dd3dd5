"""``wetware mechanisms``."""

from __future__ import annotations

import argparse
import inspect

import torch
from rich.table import Table

from wetware.commands.common import count
from wetware.commands.console import Console
from wetware.config import Config, ablate, element_name, get, kinds, mechanisms, options, walk
from wetware.models import ModelConfig
from wetware.recipes import recipe


def _parameters(config: ModelConfig) -> int:
    with torch.device("meta"):
        return config.module().parameter_count()


def run(arguments: argparse.Namespace) -> int:
    model = recipe(arguments.recipe).model
    whole, paths = _parameters(model), mechanisms(model)
    table = Table(box=None, pad_edge=False)
    for column in ("mechanism", "part", "parameters", "what it does"):
        table.add_column(
            column, justify="right" if column == "parameters" else "left", no_wrap=not column.startswith("what")
        )
    for path in paths:
        part = get(model, path)
        words = (inspect.getdoc(type(part)) or "").split("\n\n")[0].replace("\n", " ")
        own = whole - _parameters(ablate(model, path))
        table.add_row(f"[bold]{path}[/bold]", type(part).__name__, count(own), words.split("::")[0])
    console = Console()
    console.print(table if paths else f"nothing in {type(model).__name__} can be taken away")
    swaps = [(path, type(value).__name__, others) for path, value, others in _slots(model) if others]
    if swaps:
        console.print("\nwhat else fits a slot:")
        for path, name, others in swaps:
            console.print(f"  [bold]{path}[/bold] = {name}; also {', '.join(others)}")
    if paths:
        console.print(f"\n[dim]without one: wetware train {arguments.recipe} --set model.{paths[0]}=none[/dim]")
    return 0


def _slots(model: ModelConfig):
    """``(path, value, names of the other parts that fit)`` of every slot of the model."""
    elements = {
        f"{path}.{element_name(item)}"
        for path, _, value in walk(model)
        if isinstance(value, tuple)
        for item in value
        if isinstance(item, Config)
    }
    for path, annotation, value in walk(model):
        bases = [option for option in options(annotation) if isinstance(option, type) and hasattr(option, "build")]
        if bases and path not in elements:
            fitting = {name for base in bases for name in kinds(base)}
            yield path, value, sorted(fitting - {type(value).__name__})
