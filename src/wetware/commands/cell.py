"""``wetware cell``: simulate, embed, train, score, program."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from wetware.cell import (
    H5AD,
    SyntheticScreen,
    TrainedCell,
    VirtualCell,
    load_cell,
    load_embeddings,
    prepare,
    save_cell,
    save_effects,
    save_embeddings,
    write_h5ad,
)
from wetware.cell.held_out import HeldOut
from wetware.cell.protein_language_model import embed_proteins, esm2, read_fasta
from wetware.cell.screen import ScreenConfig
from wetware.cell.virtual_cell import train_on
from wetware.commands.common import device
from wetware.commands.console import Console
from wetware.config import ConfigError, nearest, with_
from wetware.data.files import DataError, write_atomically
from wetware.modulation import packaged_effects, program_matrix

SYNTHETIC = "synthetic"
USE = "model.modulators.gene_program.programs"
COLUMNS = {
    "target_column": "target",
    "batch_column": "batch",
    "gene_column": "gene",
    "control": "control",
    "layer": "layer",
}


def run(arguments: argparse.Namespace) -> int:
    if getattr(arguments, "threads", None):
        torch.set_num_threads(arguments.threads)
    actions = {"simulate": _simulate, "embed": _embed, "train": _train, "score": _score, "program": _program}
    return actions[arguments.action](arguments)


@contextlib.contextmanager
def _bar(every: float = 5.0) -> Generator[Callable[[float, str], None]]:
    """A bar on the terminal's error channel; elsewhere a line every few seconds, so that a log shows life too."""
    console, last = Console(stderr=True), time.monotonic()
    columns = (BarColumn(bar_width=24), TextColumn("{task.percentage:>3.0f} %"), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=1.0)

        def tell(share: float, text: str) -> None:
            nonlocal last
            bar.update(task, completed=share, description=escape(text))
            if not console.is_terminal and time.monotonic() - last >= every:
                last = time.monotonic()
                console.print(f"{share:6.1%}  {escape(text)}", soft_wrap=True)

        yield tell


def _settings(config: Any, settings: list[str]) -> Any:
    for setting in settings:
        path, sign, value = setting.partition("=")
        if not sign or not path:
            raise ConfigError(f"--set {setting!r}: expected PATH=VALUE, as in fitting.rate=0.002")
        config = with_(config, path, value)
    return config


def _screen(arguments: argparse.Namespace, before: ScreenConfig | None = None) -> ScreenConfig:
    """The screen that --data names, read as the options say; what they do not say is as ``before``."""
    given = {name: getattr(arguments, option) for option, name in COLUMNS.items() if getattr(arguments, option)}
    if given.get("batch") == "none":
        given["batch"] = None
    if arguments.data is None:
        if not isinstance(before, H5AD) and given:
            raise ConfigError("columns of --data were given, but no --data")
        return replace(before, **given) if given and before is not None else before or SyntheticScreen()
    if arguments.data == SYNTHETIC:
        if given:
            raise ConfigError("--data synthetic has no columns to choose from")
        return before if isinstance(before, SyntheticScreen) else SyntheticScreen()
    if Path(arguments.data).suffix != ".h5ad":
        guess = nearest(arguments.data, [SYNTHETIC]) if "." not in arguments.data else ""
        raise DataError(f"--data {arguments.data!r}: allowed a .h5ad file, or {SYNTHETIC!r}{guess.replace(';', ',')}")
    if isinstance(before, H5AD):
        return replace(before, path=arguments.data, **given)
    return H5AD(path=arguments.data, **given)


# -------------------------------------------------------------------------------------------------------------- actions


def _simulate(arguments: argparse.Namespace) -> int:
    out = Path(arguments.out)
    if out.suffix != ".h5ad":
        raise ConfigError(f"--out {arguments.out!r}: allowed a name that ends in .h5ad")
    config = _settings(SyntheticScreen(), arguments.settings)
    if arguments.seed is not None:
        config = replace(config, seed=arguments.seed)
    with _bar() as tell:
        tell(0.1, "drawing a network, its knock-downs and counts")
        screen = config.build()
        tell(0.7, "writing")
        write_h5ad(screen, out)
        save_embeddings(screen.embeddings, out.with_suffix(".npz"))
    about = f"{screen.cells} simulated cells x {len(screen.genes)} genes, {config.targets} targets"
    Console().print(f"{about}, in {out}; their embeddings in {out.with_suffix('.npz')}", markup=False, soft_wrap=True)
    return 0


def _embed(arguments: argparse.Namespace) -> int:
    sequences = read_fasta(arguments.fasta)
    Path(arguments.out).parent.mkdir(parents=True, exist_ok=True)
    embedder = esm2(arguments.model, device(arguments))
    with _bar() as tell:
        made = embed_proteins(sequences, embedder, arguments.model, progress=tell)
    save_embeddings(made, arguments.out)
    about = f"{len(made.genes)} genes x {made.vectors.shape[1]} dimensions, by {arguments.model}"
    Console().print(f"{about}, in {arguments.out}", markup=False, soft_wrap=True)
    return 0


def _train(arguments: argparse.Namespace) -> int:
    out, console = Path(arguments.out), Console()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"--out {str(out)!r} is there already: choose another folder")
    config = _settings(VirtualCell(screen=_screen(arguments)), arguments.settings)
    if arguments.seed is not None:
        config = replace(config, seed=arguments.seed)
    given = load_embeddings(arguments.embeddings) if arguments.embeddings else None
    screen = config.screen.build()
    embeddings = given or screen.embeddings
    if embeddings is None:
        raise ConfigError("--embeddings is needed: a vector for each gene (see: wetware cell embed)")
    with _bar() as tell:
        expression = prepare(screen, config.preparation, progress=lambda share, text: tell(0.7 * share, text))
        cell = train_on(config, expression, embeddings, lambda share, text: tell(0.7 + 0.3 * share, text))
    save_cell(cell, out)
    result = cell.score(expression)
    write_atomically(out / "held_out.json", json.dumps(_plain(cell, result), indent=1, allow_nan=False) + "\n")
    sizes = ", ".join(f"{len(targets)} {name}" for name, targets in cell.parts.items())
    console.print(
        f"{cell.source} screen: {screen.cells} cells; targets: {sizes}; {len(cell.genes)} genes", markup=False
    )
    if expression.dropped:
        console.print(f"{len(expression.dropped)} targets left out: no control cell in their batches", style="yellow")
    if missing := sum(embeddings.lookup(expression.targets).missing):
        console.print(f"{missing} targets have no embedding of their own: the mean of all stands in", style="yellow")
    kept = f"kept step {cell.best} of {len(cell.history) - 1}"
    console.print(f"{kept}: validation loss {cell.history[cell.best]:.4f} (no change at all: {cell.history[0]:.4f})")
    if cell.best == 0:
        console.print("nothing learnt did better than predicting no change: the model predicts none", style="yellow")
    show(console, result)
    console.print(f"in {out}; next: wetware cell program {out} --out effects.safetensors", markup=False, soft_wrap=True)
    return 0


def _score(arguments: argparse.Namespace) -> int:
    cell = load_cell(arguments.model)
    screen = _screen(arguments, cell.config.screen).build()
    embeddings = load_embeddings(arguments.embeddings) if arguments.embeddings else None
    with _bar() as tell:
        expression = prepare(screen, cell.config.preparation, cell.genes, tell)
    result = cell.score(expression, embeddings)
    if arguments.json:
        print(json.dumps(_plain(cell, result), indent=1, allow_nan=False))
    else:
        show(Console(), result)
    return 0


def _program(arguments: argparse.Namespace) -> int:
    effects = load_cell(arguments.model).effects() if arguments.model else packaged_effects()
    console = Console()
    made = program_matrix(arguments.size, arguments.draws, arguments.seed or 0, effects)
    console.print(f"effects of {len(effects.genes)} knock-downs, {made.source} screen", markup=False)
    counts = made.dominant().bincount(minlength=len(made.programs)).tolist()
    words = ", ".join(f"{name} {count}" for name, count in zip(made.programs, counts, strict=True))
    shape = " x ".join(map(str, made.matrix.shape))
    console.print(f"P [{shape}]; neurons by their dominant program: {words}", markup=False, soft_wrap=True)
    if arguments.out:
        save_effects(effects, arguments.out)
        console.print(f"train with them: --set {USE}='ProgramFile(path={arguments.out})'", markup=False, soft_wrap=True)
    return 0


# ------------------------------------------------------------------------------------------------------------- results


def _plain(cell: TrainedCell, result: HeldOut) -> dict[str, Any]:
    about = {"source": result.source, "trained_on": cell.source, "targets": result.targets, "missing": result.missing}
    rows = [fit._asdict() for fit in result.programs]
    return {**about, "expression_error": result.expression_error, "programs": rows}


def _figure(value: float | None, digits: int = 2) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def show(console: Console, result: HeldOut) -> None:
    """The table of programs, and what it can and cannot say."""
    title = f"{result.targets} held-out targets, {result.source} screen: change of program scores"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    columns = ("program", "r", "95 %", "p", "R2", "error", "of mean", "of zero")
    for column in columns:
        table.add_column(column, justify="left" if column == "program" else "right", no_wrap=True)
    for fit in result.programs:
        ends = "-" if fit.interval is None else f"{fit.interval[0]:.2f}, {fit.interval[1]:.2f}"
        errors = [_figure(fit.error[kind], 4) for kind in ("model", "mean", "zero")]
        table.add_row(fit.program, _figure(fit.r), ends, _figure(fit.p, 4), _figure(fit.r2["model"]), *errors)
    console.print(table)
    profile = ", ".join(f"{kind} {error:.4f}" for kind, error in result.expression_error.items())
    console.print(f"error of all genes: {profile}", style="dim", soft_wrap=True)
    note = (
        "error: root mean square. mean, zero: predicting the training genes' mean change, or none; both are constant, "
        "so they have no r, and their R2 is 0 at best. "
        "p: one-sided, by permutation, one program at a time: among six, the smallest is below .05 by chance in about 1 of 4."
    )
    console.print(note, style="dim")
    if result.missing:
        console.print(f"{result.missing} held-out targets have no embedding: the mean stands in", style="yellow")
