"""What several commands need."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

import torch

from wetware.commands.stress import under_stress
from wetware.config import ConfigError, nearest
from wetware.kernels.compiled import why_not
from wetware.models.generation import Sampling
from wetware.training import CheckpointError, load

DEVICES = ("auto", "cpu", "cuda", "mps")


def device(arguments: argparse.Namespace) -> torch.device:
    """The device asked for; sets the number of threads too. Raises ConfigError when it is not there."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    name = arguments.device
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if there[kind]))
    kind = name.split(":")[0]
    if kind not in there:
        raise ConfigError(f"--device {name!r} is unknown{nearest(name, DEVICES)}")
    if not there[kind]:
        present = ", ".join(kind for kind in there if there[kind])
        raise ConfigError(f"--device {name}: this machine (or this PyTorch) has none; present: {present}")
    numbers = [str(number) for number in range(torch.cuda.device_count())] if kind == "cuda" else []
    if name != kind and name.partition(":")[2] not in numbers:
        raise ConfigError(
            f"--device {name!r}: allowed {', '.join([kind, *(f'{kind}:{number}' for number in numbers)])}"
        )
    return torch.device(name)


def note_speed(where: torch.device, say: Callable[[str], None]) -> None:
    """Say so when spiking models will run slower than they could, and when the first of them has to wait for a compiler."""
    if where.type != "cpu":
        return
    if reason := why_not():
        say(f"note: {reason}; spiking models train and write several times slower without it (see: wetware doctor)")
        return
    from wetware.kernels.compiled.jit import when_compiling

    when_compiling(lambda: say("compiling for this processor: once, about 20 seconds"))


def sampling(arguments: argparse.Namespace) -> Sampling:
    return Sampling(
        temperature=arguments.temperature,
        top_k=arguments.top_k,
        top_p=arguments.top_p,
        repetition_penalty=arguments.repetition_penalty,
    )


def load_with_tokenizer(run: str, where: torch.device, stress: str | None = None) -> tuple[Any, Any]:
    """A model that can read and write text, with another stress in use if one is given."""
    model, tokenizer = load(run, where)
    if stress is not None:
        model = under_stress(model, run, stress)
    note_speed(where, lambda text: print(text, file=sys.stderr))
    if tokenizer is None:
        raise CheckpointError(f"{run!r} has no tokenizer.json: it cannot read text")
    return model, tokenizer


def count(number: float) -> str:
    """1234567 -> ``1.2 M``."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.1f}{unit}"
    return f"{number:.0f}"
