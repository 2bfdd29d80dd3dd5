"""What does each mechanism of bio-nanochat cost, beside the plain transformer of the same skeleton?

Contestants: the transformer; the bio-nanochat without any mechanism, which is the same model; with each mechanism alone; with
all. Every one of them is timed at

- training: forward from the start of a text, cross-entropy and the model's own losses, backward, clipping, optimizer;
- evaluation: forward without gradients;
- generation at batch 1 and 8: tokens after a text of that length has been read, one at a time, the choice of tokens left out.

All by the ops' fastest backends. Rules (consolidation, lifecycle of experts) act between steps, some of them seldom, and are
left out. Models are untrained: a mechanism that is neutral at first is computed all the same. Ratios are of time, to the
transformer: 2 is twice as long.

    python benchmarks/bio_nanochat.py [--lengths 256,1024] [--only release,experts] [--memory] [--threads 1] [--short]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from harness import Timing, clock_for, console, interleaved, options, parse, peak_memory, positive, report, show_table
from matching import Setting
from training import LEARNING, Text
from wetware.derived import unchanged
from wetware.layers import ReversibleResidual, Rule30, SelfAttention, SynapticExperts
from wetware.models import GPT, BioNanochat, ModelConfig
from wetware.modulation import Acetylcholine, Dopamine, Noradrenaline
from wetware.plasticity import FastWeights
from wetware.state import size
from wetware.synapses import DistanceBarrier, SeptinInhibition, Synapse, TwoHop, VesicleRelease
from wetware.training import Run, cross_entropy
from wetware.training.optimizers import gradient_norm, scale_gradients

GPT_NAME, NOTHING, EVERYTHING = "gpt", "nothing on", "everything on"
HEADS = 4
OFF: dict[str, Any] = {"synapse": Synapse(), "memory": None, "experts": None, "neuromodulators": ()}
PARTS: dict[str, dict[str, Any]] = {
    "release": {"synapse": Synapse(release=VesicleRelease())},
    "distance": {"synapse": Synapse(distance=DistanceBarrier())},
    "septin": {"synapse": Synapse(septin=SeptinInhibition())},
    "two hops": {"synapse": Synapse(two_hop=TwoHop())},
    "fast weights": {"memory": FastWeights()},
    "experts": {"experts": SynapticExperts()},
    "neuromodulators": {"neuromodulators": (Dopamine(), Acetylcholine(), Noradrenaline())},
    "rule 30": {"initialisation": Rule30()},
    "reversible": {"residual": ReversibleResidual()},
}
NAMES = (GPT_NAME, NOTHING, *PARTS, EVERYTHING)
WORKS = ("training", "evaluation", "generation, batch 1", "generation, batch 8")


class Skeleton(NamedTuple):
    """What all contestants share. written: tokens of each text that a turn of generation writes."""

    width: int
    depth: int
    vocabulary: int
    written: int

    def config(self, name: str) -> ModelConfig:
        shape: dict[str, Any] = {"vocab_size": self.vocabulary, "width": self.width, "depth": self.depth}
        shape |= {"boundary": 0, "attention": SelfAttention(heads=HEADS)}
        if name == GPT_NAME:
            return GPT(**shape)
        parts = {} if name == EVERYTHING else OFF | PARTS.get(name, {})
        return BioNanochat(**shape, **parts)


@lru_cache(maxsize=len(NAMES))
def model_of(skeleton: Skeleton, name: str) -> Any:
    return skeleton.config(name).build(seed=0)


def text(skeleton: Skeleton, batch: int, length: int) -> tuple[Tensor, Tensor]:
    """Tokens and what follows each: one document a row, so that all of it is seen."""
    inputs, targets = Text(Setting(skeleton.width, skeleton.depth, skeleton.vocabulary, batch, length), chunks=1)()
    return inputs.clamp_min(1), targets.clamp_min(1)


# ---------------------------------------------------------------------------------------------------------- contestants


class Step:
    """A training step on one text, from its start."""

    def __init__(self, skeleton: Skeleton, name: str, batch: int, length: int) -> None:
        training = Run().training
        self.model, self.clip = model_of(skeleton, name), training.clip
        self.inputs, self.targets = text(skeleton, batch, length)
        self.optimizers = training.optimizer.build(self.model)

    def __call__(self) -> None:
        output = self.model(self.inputs)
        (cross_entropy(output.logits, self.targets) + sum(output.losses.values())).backward()
        norm = gradient_norm(self.model)
        if norm > self.clip:
            scale_gradients(self.model, self.clip / norm)
        self.optimizers.step(LEARNING)
        self.optimizers.zero_grad()


class Reader:
    """Reading one text."""

    def __init__(self, skeleton: Skeleton, name: str, batch: int, length: int) -> None:
        self.model = model_of(skeleton, name)
        self.inputs, _ = text(skeleton, batch, length)

    @torch.inference_mode()
    def __call__(self) -> None:
        self.model(self.inputs)


class Writer:
    """Reading on, a token at a time, always from the end of the same text: what it left is not changed by that."""

    @torch.inference_mode()
    def __init__(self, skeleton: Skeleton, name: str, batch: int, length: int) -> None:
        self.model, self.written = model_of(skeleton, name), skeleton.written
        self.inputs, _ = text(skeleton, batch, length)
        self.state = self.model(self.inputs).state
        self.state_bytes = round(size(self.state) / batch)

    @torch.inference_mode()
    def __call__(self) -> None:
        state = self.state
        with unchanged({}):  # as an engine does
            for at in range(self.written):
                state = self.model(self.inputs[:, at : at + 1], state).state


def build(skeleton: Skeleton, name: str, work: str, length: int, batch: int) -> Callable[[], None]:
    """A contestant, here and in a process of its own. ``batch``: of what is not generation."""
    if work.startswith("generation"):
        return Writer(skeleton, name, int(work.rpartition(" ")[2]), length)
    return {"training": Step, "evaluation": Reader}[work](skeleton, name, batch, length)


# ----------------------------------------------------------------------------------------------------------------- main


def measure(skeleton: Skeleton, work: str, length: int, given: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """All contestants at one work and length; prints their table."""
    clock, batch = clock_for(given.threads), max(1, given.tokens // length)
    contestants = {name: build(skeleton, name, work, length, batch) for name in given.only}
    timings = interleaved(contestants, given.rounds, 1, f"{work}, length {length}")
    base = timings[GPT_NAME].median(clock)
    rows = {name: _row(contestants[name], timing, clock, base) for name, timing in timings.items()}
    del contestants
    if given.memory:
        for name, row in rows.items():
            arguments = (skeleton, name, work, length, batch)
            row |= peak_memory(build, *arguments, steps=2, threads=given.threads).row()
    columns = {"x gpt": {name: f"{row['ratio']:.2f}" for name, row in rows.items()}}
    for heading, key, scale in (
        ("KiB/text", "state_bytes", 1024),
        ("peak MiB", "peak_mib", 1),
        ("its own MiB", "above_start_mib", 1),
    ):
        if any(key in row for row in rows.values()):
            columns[heading] = {name: f"{row[key] / scale:,.0f}" for name, row in rows.items()}
    shown = work if work.startswith("generation") else f"{work}, batch {batch}"
    show_table(f"{shown}, length {length}", timings, columns)
    return rows


def _row(contestant: Any, timing: Timing, clock: str, base: float) -> dict[str, Any]:
    row = {**timing.row(), "ratio": round(timing.median(clock) / base, 4)}
    row["parameters"] = contestant.model.parameter_count()
    return row | ({"state_bytes": contestant.state_bytes} if isinstance(contestant, Writer) else {})


def arguments(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Skeleton]:
    parser = options(__doc__, rounds=9)
    parser.add_argument("--width", type=positive, default=256)
    parser.add_argument("--depth", type=positive, default=4)
    parser.add_argument("--vocabulary", type=positive, default=4096)
    parser.add_argument("--lengths", default="256,1024", help="tokens of a text (default: 256,1024)")
    parser.add_argument("--tokens", type=positive, default=2048, help="of all texts of a batch (default: 2048)")
    parser.add_argument("--written", type=positive, default=16, help="tokens that a turn of generation writes")
    parser.add_argument("--work", default=";".join(WORKS), help=f"of {'; '.join(WORKS)} (default: all)")
    parser.add_argument("--only", default="", help=f"beside gpt, of {', '.join(NAMES[1:])} (default: all)")
    parser.add_argument("--memory", action="store_true", help="also peak memory, each in a process of its own")
    short = {"rounds": 2, "width": 64, "depth": 2, "vocabulary": 256, "lengths": "32", "tokens": 64, "written": 2}
    given = parse(parser, argv, short)
    for name, allowed in (("only", NAMES), ("work", WORKS)):
        separator = "," if name == "only" else ";"
        wanted = [word.strip() for word in getattr(given, name).split(separator) if word.strip()]
        if unknown := set(wanted) - set(allowed):
            parser.error(f"--{name} {min(unknown)}: allowed {', '.join(allowed)}")
        setattr(given, name, wanted or list(allowed))
    given.only = [GPT_NAME, *(name for name in given.only if name != GPT_NAME)]
    return given, Skeleton(given.width, given.depth, given.vocabulary, given.written)


def main(argv: Sequence[str] | None = None) -> int:
    given, skeleton = arguments(argv)
    clock = clock_for(given.threads)
    console().print(f"ratios from median {clock} times, threads: {given.threads}; 2 is twice as long as gpt")
    results: dict[str, Any] = {}
    for length in map(int, given.lengths.split(",")):
        for work in given.work:
            results.setdefault(str(length), {})[work] = measure(skeleton, work, length, given)
    found = {"results": results, "rounds": given.rounds, "tokens": given.tokens, **skeleton._asdict()}
    report("bio_nanochat", argv, given.threads, clock=clock, **found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
