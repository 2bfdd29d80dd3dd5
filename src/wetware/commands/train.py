"""``wetware train``."""

from __future__ import annotations

import argparse
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from wetware.commands.common import count, device, note_speed
from wetware.commands.progress import reporter
from wetware.config import Config, ConfigError, snake, with_
from wetware.data import Growing, SavedTokenizer, corpus_from, tokenizer_from
from wetware.recipes import recipe
from wetware.training import Minutes, Reporter, Run, SavedWeights, Steps, Tokens, Trainer, checkpoint
from wetware.training.memory import keep_buffers

FROM_TOKENIZER = ("model.vocab_size", "model.boundary")


def configure(run: Run, settings: list[str]) -> Run:
    """``run`` with every ``PATH=VALUE`` applied in order; ``model.`` may be left out where that is clear."""
    for setting in settings:
        path, sign, value = setting.partition("=")
        if not sign or not path:
            raise ConfigError(f"--set {setting!r}: expected PATH=VALUE, as in model.depth=2")
        path = _whole(run, path)
        if path in FROM_TOKENIZER:
            raise ConfigError(
                f"--set {path}: it comes from the tokenizer; set tokenizer.vocab_size, or another tokenizer"
            )
        run = with_(run, path, value)
    return run


def _whole(run: Run, path: str) -> str:
    """``path``, after ``model.`` where its first word is a field of the model and of no other part of the run."""
    word = path.partition(".")[0]
    others = [run, *(part for name, part in vars(run).items() if name != "model" and isinstance(part, Config))]
    alone = word in vars(run.model) and not any(word in vars(part) for part in others)
    return f"model.{path}" if alone else path


def limit(arguments: argparse.Namespace) -> Any:
    if arguments.steps:
        return Steps(count=arguments.steps)
    if arguments.minutes:
        return Minutes(count=arguments.minutes)
    return Tokens(count=arguments.tokens) if arguments.tokens else None


def run(arguments: argparse.Namespace) -> int:
    report = reporter()
    try:
        return _run(arguments, report)
    finally:
        report.close()  # whatever happens, the terminal gets its cursor back


def _run(arguments: argparse.Namespace, report: Reporter) -> int:
    where = device(arguments)
    keep_buffers()
    note_speed(where, report.message)
    folder = Path(arguments.out or Path("runs") / arguments.recipe)
    started, length = wanted(arguments), limit(arguments)
    options: dict[str, Any] = {"device": where, "bfloat16": _bfloat16(arguments.dtype, where), "reporter": report}
    if arguments.resume:
        fixed = ("data", "seed", "tokenizer", "init_from")
        if arguments.settings or any(getattr(arguments, name) is not None for name in fixed):
            raise ConfigError(
                "--resume goes on with the run as it is: only --steps, --minutes and --tokens may be given"
            )
        trainer = Trainer.resume(folder, limit=length, **options)
        found, named = type(trainer.run.model).__name__, type(started.model).__name__
        if not isinstance(trainer.run.model, type(started.model)):  # it may hold a kind with more parts: --init-from
            raise ConfigError(f"--resume: {str(folder)!r} holds a {found}, and {arguments.recipe} is a {named}")
        report.message(f"resumed {folder} at step {trainer.step}, {count(trainer.tokens)} tokens")
    else:
        trainer = Trainer(started, folder, **options)
    about = f"{type(trainer.run.model).__name__}: {count(trainer.model.parameter_count())} parameters on {where}"
    size = count(trainer.train.epoch_tokens)
    text = f"text in blocks of {size} tokens" if isinstance(trainer.train, Growing) else f"{size} tokens of text"
    report.message(f"{about}, {text}, into {folder}")
    stopped = trainer.fit()
    if stopped.signal is not None:
        name = signal.Signals(stopped.signal).name
        report.message(f"{name}: stopped at step {stopped.step} with a checkpoint; add --resume to go on")
        return 128 + stopped.signal
    report.message(f'done: try  wetware generate {folder} --prompt "The people"   or   wetware evaluate {folder}')
    return 0


def wanted(arguments: argparse.Namespace) -> Run:
    """The run of the recipe, with everything that the command line says."""
    started = recipe(arguments.recipe)
    if arguments.init_from is not None:
        started = _starting_from(started, arguments)
    if arguments.tokenizer is not None:
        started = with_(started, "tokenizer", tokenizer_from(arguments.tokenizer))
    if arguments.data is not None:
        started = with_(started, "corpus", corpus_from(arguments.data))
    started = configure(started, arguments.settings)
    if arguments.seed is not None:
        started = with_(started, "seed", arguments.seed)
    length = limit(arguments)
    return started if length is None else with_(started, "training.limit", length)


def _starting_from(started: Run, arguments: argparse.Namespace) -> Run:
    """The run with the model, the weights and the tokenizer of a checkpoint; how and on what it learns is the recipe's."""
    start = SavedWeights(path=arguments.init_from)
    folder = start.folder()
    model = checkpoint.model_config(folder)
    if not isinstance(model, type(started.model)):
        found, named = type(model).__name__, type(started.model).__name__
        more = ""
        if isinstance(started.model, type(model)):
            more = f"; make it one first: wetware convert {arguments.init_from} --to {snake(named)}"
        raise ConfigError(
            f"--init-from: {arguments.init_from!r} holds a {found}, and {arguments.recipe} is a {named}{more}"
        )
    started = replace(started, model=model, start=start)
    if not (folder / "tokenizer.json").exists():
        return started
    if arguments.tokenizer is not None:
        raise ConfigError(f"--tokenizer: {arguments.init_from!r} brings its own, by which its weights were learned")
    return replace(started, tokenizer=SavedTokenizer(path=str(folder)))


def _bfloat16(dtype: str, where: torch.device) -> bool:
    """bfloat16 pays where the matrix units have it; on most CPUs it is emulated."""
    if dtype == "auto":
        return where.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return dtype == "bfloat16"
