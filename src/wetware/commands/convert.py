"""``wetware convert``."""

from __future__ import annotations

import argparse
import math
import shlex
from pathlib import Path
from typing import Any

from rich.markup import escape

from wetware.commands.common import count
from wetware.commands.console import Console
from wetware.commands.train import configure
from wetware.config import ConfigError, from_dict, get, to_dict
from wetware.data import TextFiles
from wetware.models import ModelConfig
from wetware.recipes import recipe, recipe_names
from wetware.training import EveryToken, Run, checkpoint
from wetware.training.converting import CHUNKS, Converted, convert, larger


def run(arguments: argparse.Namespace) -> int:
    source = checkpoint.find(arguments.run)
    out = Path(arguments.out) if arguments.out else _beside(source, arguments.to)
    if out.resolve() in (source.resolve(), Path(arguments.run).resolve()):
        raise ConfigError(f"--out {str(out)!r} is what is being converted; choose another folder")
    model, tokenizer = checkpoint.load(source)
    config = _configured(larger(model.config, arguments.to), arguments.settings)
    found = convert(model, config, tokenizer, seed=arguments.seed)
    about = checkpoint.read_about(source)
    told = {key: value for key, value in about.items() if key not in ("format", "wetware", "model")}
    told["converted"] = {
        "from": type(model.config).__name__,
        "source": str(source),
        "seed": arguments.seed,
        "parts": list(found.parts),
        "difference": found.difference,
    }
    if isinstance(told.get("run"), dict):  # the text it learned stays its text; its model is another
        told["run"] = {**told["run"], "model": to_dict(config)}
    checkpoint.save(found.model, out, tokenizer, **told)
    _show(Console(), arguments, found, tokenizer is not None)
    command = _next(config, out, told.get("run"))
    Console().print(f"in {out}; train on from it: {command}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _beside(source: Path, kind: str) -> Path:
    """``runs/gpt-bio_nanochat`` for a run in ``runs/gpt``."""
    source = source.resolve()
    base = source.parents[1] if source.parent.name == "checkpoints" else source
    place = base.with_name(f"{base.name}-{kind}")
    return place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place


def _configured(config: ModelConfig, settings: list[str]) -> ModelConfig:
    for setting in settings:
        if not setting.startswith("model."):
            raise ConfigError(f"--set {setting!r}: only the model is made here, as in --set model.memory=none")
    return configure(Run(model=config), settings).model


def _show(console: Console, arguments: argparse.Namespace, found: Converted, reads: bool) -> None:
    size, kind = found.model.parameter_count(), type(found.model.config).__name__
    new = sum(math.prod(shape) for shape in found.new.values())
    console.print(
        f"[bold]{escape(arguments.run)}[/bold] as a {kind}: {count(size)} parameters, {count(new)} new numbers"
    )
    for part in found.parts:
        console.print(f"  new: {part} ({type(get(found.model.config, part)).__name__})", markup=False)
    tokens = f"{2 * sum(CHUNKS)} {'tokens of text' if reads else 'drawn tokens, since there is no tokenizer'}"
    precise = str(found.dtype).removeprefix("torch.")
    console.print(
        f"same logits: largest difference on {tokens} {found.difference:.2g} in {precise}, {found.rounded:.2g} in float32",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _next(config: Any, out: Path, about: Any) -> str:
    """How to train on: by the recipe of the nearest size, on the text that the run had learned."""
    model = type(config)
    runs = {name: recipe(name) for name in recipe_names()}
    # recipes of tasks score marked answers only, which other text has not
    models: dict[str, Any] = {name: run.model for name, run in runs.items() if run.training.counted == EveryToken()}
    own = {name: each for name, each in models.items() if type(each) is model}
    wider = {name: each for name, each in models.items() if issubclass(model, type(each))}
    wide = {name: abs(math.log(each.width / config.width)) for name, each in (own or wider).items()}
    words = ["wetware", "train", min(wide, key=lambda name: wide[name], default="RECIPE"), "--init-from", str(out)]
    corpus = from_dict(about["corpus"]) if isinstance(about, dict) else None
    if isinstance(corpus, TextFiles):
        words += ["--data", corpus.path]
    return shlex.join([*words, "--out", f"{out}-trained"])
