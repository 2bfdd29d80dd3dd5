"""Speed and memory, of this machine at this moment."""

from __future__ import annotations

import copy
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from wetware.config import number
from wetware.data import DataError, Stream
from wetware.evaluation.measure import Measure, Progress, Subject, Table
from wetware.evaluation.peak_memory import peak_memory
from wetware.evaluation.training_steps import training_steps
from wetware.models.engines import engines
from wetware.models.generation import Sampling, Session
from wetware.state import size
from wetware.training import Training

STATE_AFTER = (64, 1088)  # tokens; a KV cache grows from the one to the other, up to its window


@dataclass(frozen=True, kw_only=True)
class Speed(Measure):
    """Times and memory, measured on this machine at this moment: to be compared only with others of the same hour.

    training: tokens per second, median of ``steps`` whole optimizer steps after one that is not counted; batch, chunk and
    optimizer are those of the run, or a run's defaults. prompt: time until a prompt of so many tokens is read and its logits
    are there, median of three. writing: one text, greedy; the median and 95th percentile of the time of one token taken
    singly, and tokens per second when they are taken in blocks of ``block``. Reading and writing are done by the engine that
    ``wetware generate`` would take, which is named; what it prepares once is not counted. state: bytes that one text leaves
    behind. peak_memory: see :mod:`wetware.evaluation.peak_memory`; on CUDA the allocator's own maximum.
    """

    title: ClassVar[str] = "Speed and memory, of this machine at this moment"
    quick: ClassVar[bool] = True
    weight: ClassVar[float] = 12.0

    steps: int = number(10, 1)
    tokens: int = number(512, 16)
    block: int = number(64, 1)
    prompts: tuple[int, ...] = (16, 128, 1024)

    def quickly(self) -> Speed:
        return replace(self, steps=4, tokens=128)

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        training = subject.run.training if subject.run else Training()
        device = next(subject.model.parameters()).device
        text = _text(subject, max(*self.prompts, *STATE_AFTER))
        machine = f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} thread(s) used"
        figures: dict[str, Any] = {
            "where": f"this machine at this moment ({machine})",
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
            "training": _training(subject, training, self.steps),
        }
        progress(0.4)
        figures["engine"] = type(Session(subject.model, Sampling(), 0, weights=subject.weights).engine).__name__
        figures["engine_chosen"] = engines.explain(subject.model, 1, subject.weights)
        figures["prompt"] = [_prompt(subject, text[:length]) for length in self.prompts]
        progress(0.5)
        figures["writing"] = _writing(subject, text[: self.prompts[0]], self.tokens, self.block)
        progress(0.6)
        figures["state_bytes"] = {str(length): _state(subject, text[:length]) for length in STATE_AFTER}
        progress(0.7)
        figures["peak_memory"] = _peak(subject, training, device)
        return figures

    def table(self, figures: dict[str, Any]) -> Table:
        training, writing = figures["training"], figures["writing"]
        rows = []
        if training:
            how = f"training: {training['batch']} x {training['chunk']} tokens a step, {training['optimizer']}"
            rows.append((how, f"{training['tokens_per_second']:,.0f} tokens/s"))
        for line in figures["prompt"]:
            rows.append((f"reading a prompt of {line['tokens']} tokens", f"{1e3 * line['seconds']:.2f} ms"))
        rows.append(("one new token, median", f"{1e3 * writing['median_seconds']:.3f} ms"))
        rows.append(("one new token, 95th percentile", f"{1e3 * writing['p95_seconds']:.3f} ms"))
        rows.append((f"writing in blocks of {writing['block']}", f"{writing['tokens_per_second']:,.0f} tokens/s"))
        for length, held in figures["state_bytes"].items():
            rows.append((f"state of one text after {length} tokens", f"{held / 1024:,.0f} KiB"))
        for name, held in (figures["peak_memory"] or {}).items():
            if name != "what":
                rows.append((f"peak memory {name.replace('_', ' ')}", f"{held / 2**20:,.0f} MiB"))
        note = f"Of {figures['where']}; engine {figures['engine']}."
        if figures["peak_memory"]:
            note += f" Memory: {figures['peak_memory']['what']}."
        return Table(("", "measured"), tuple(rows), note)


def _text(subject: Subject, length: int) -> Tensor:
    """[length] held-out tokens; a text that is shorter is read again."""
    packed = subject.held_out
    return torch.from_numpy(np.resize(packed.tokens(0, min(length, len(packed))), length))


def _clock(subject: Subject) -> float:
    """Now, when everything asked of the device is done."""
    if next(subject.model.parameters()).device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _timed(subject: Subject, work: Callable[[], Any]) -> float:
    started = _clock(subject)
    work()
    return _clock(subject) - started


def _training(subject: Subject, training: Training, steps: int) -> dict[str, Any] | None:
    try:
        rule = training.counted.rule(subject.tokenizer)
        stream = Stream(subject.train, training.batch, training.chunk, 0, rule)
    except DataError:  # a text too small to train on, given with --data
        return None
    chunks = (stream.at(step) for step in range(steps + 1))
    given = ((chunk.inputs, chunk.targets, chunk.counted) for chunk in chunks)
    taken = training_steps(copy.deepcopy(subject.model), training, given)
    with torch.enable_grad():
        seconds = [_timed(subject, lambda: next(taken)) for _ in range(steps + 1)]
    median = statistics.median(seconds[1:])
    return {
        "tokens_per_second": stream.tokens_per_step / median,
        "seconds_per_step": median,
        "steps": steps,
        "batch": training.batch,
        "chunk": training.chunk,
        "optimizer": type(training.optimizer).__name__,
        "what": "forward, backward, clipping and optimizer in float32",
    }


def _session(subject: Subject) -> Session:
    return Session(subject.model, Sampling(temperature=0.0), 0, weights=subject.weights)


def _prompt(subject: Subject, text: Tensor) -> dict[str, Any]:
    def seconds() -> float:
        session = _session(subject)

        def read() -> None:
            session.read(text[None])
            _ = session.logits

        return _timed(subject, read)

    seconds()
    median = statistics.median(seconds() for _ in range(3))
    return {"tokens": len(text), "seconds": median, "tokens_per_second": len(text) / median}


def _writing(subject: Subject, prompt: Tensor, tokens: int, block: int) -> dict[str, Any]:
    session = _session(subject)
    session.read(prompt[None])
    session.tokens(block)
    single = [_timed(subject, session.next) for _ in range(tokens)]
    blocks = max(1, tokens // block)
    together = _timed(subject, lambda: [session.tokens(block) for _ in range(blocks)])
    return {
        "median_seconds": statistics.median(single),
        "p95_seconds": float(np.percentile(single, 95)),
        "tokens": tokens,
        "block": block,
        "tokens_per_second": blocks * block / together,
    }


def _state(subject: Subject, text: Tensor) -> int:
    session = _session(subject)
    session.read(text[None])
    return size(session.state)


def _peak(subject: Subject, training: Training, device: torch.device) -> dict[str, Any] | None:
    if device.type != "cuda":
        found = peak_memory(subject.model, training, subject.weights) if device.type == "cpu" else None
        what = "highest resident memory of a fresh process up to then, Python and libraries included"
        return None if found is None else {"what": what, **found}
    figures: dict[str, Any] = {"what": "torch.cuda.max_memory_allocated while at it, the model included"}
    torch.cuda.reset_peak_memory_stats(device)
    _writing(subject, _text(subject, 16), 16, 16)
    figures["writing"] = torch.cuda.max_memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    _training(subject, training, 1)
    figures["training"] = torch.cuda.max_memory_allocated(device)
    return figures
