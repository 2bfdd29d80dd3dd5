"""``wetware train``."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path
from typing import Any

import torch

from wetware.commands.common import count, device, note_speed
from wetware.commands.progress import reporter
from wetware.config import ConfigError, with_
from wetware.data import Growing, corpus_from, tokenizer_from
from wetware.recipes import recipe
from wetware.training import Minutes, Reporter, Run, Steps, Tokens, Trainer
from wetware.training.memory import keep_buffers

FROM_TOKENIZER = ("model.vocab_size", "model.boundary")


def configure(run: Run, settings: list[str]) -> Run:
    """``run`` with every ``PATH=VALUE`` applied in order."""
    for setting in settings:
        path, sign, value = setting.partition("=")
        if not sign or not path:
            raise ConfigError(f"--set {setting!r}: expected PATH=VALUE, as in model.depth=2")
        if path in FROM_TOKENIZER:
            raise ConfigError(
                f"--set {path}: it comes from the tokenizer; set tokenizer.vocab_size, or another tokenizer"
            )
        run = with_(run, path, value)
    return run


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
    started = recipe(arguments.recipe)
    if arguments.tokenizer is not None:
        started = with_(started, "tokenizer", tokenizer_from(arguments.tokenizer))
    if arguments.data is not None:
        started = with_(started, "corpus", corpus_from(arguments.data))
    started = configure(started, arguments.settings)
    if arguments.seed is not None:
        started = with_(started, "seed", arguments.seed)
    if (wanted := limit(arguments)) is not None:
        started = with_(started, "training.limit", wanted)
    options: dict[str, Any] = {"device": where, "bfloat16": _bfloat16(arguments.dtype, where), "reporter": report}
    if arguments.resume:
        if arguments.settings or any(getattr(arguments, name) is not None for name in ("data", "seed", "tokenizer")):
            raise ConfigError(
                "--resume goes on with the run as it is: only --steps, --minutes and --tokens may be given"
            )
        trainer = Trainer.resume(folder, limit=wanted, **options)
        found, named = type(trainer.run.model).__name__, type(started.model).__name__
        if found != named:
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


def _bfloat16(dtype: str, where: torch.device) -> bool:
    """bfloat16 pays where the matrix units have it; on most CPUs it is emulated."""
    if dtype == "auto":
        return where.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return dtype == "bfloat16"
