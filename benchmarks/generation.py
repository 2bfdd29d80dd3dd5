"""How fast does a spiking language model write, beside others with as many parameters?

Texts are continued side by side, each contestant a block of tokens at every turn, its state carried from block to block.
Contestants:

- Real Sam (or, by ``--model``, SpikeWhale) by its compiled engine, which writes what the model's own forward would; and with
  its matrices kept in bfloat16 or int8, which changes the model;
- the same by the eager step loop: its own forward a token at a time, every op by its readable reference;
- the transformer of the recipe ``gpt`` with its cache, whose window is full, as deep and of the width that fits at other sizes;
- a language model of two ``nn.LSTM`` layers of the width that fits. Both of these in plain PyTorch: a token at a time, it is a
  little faster than our ops for whole chunks;
- the choice of tokens alone, as all but the compiled engine make it: what each of them would still need were its model free.

All choose by the same ``Sampling``, under ``inference_mode``. The models are untrained unless ``--run`` names a run. The
spiking one then is calibrated to a firing rate, and its readout scaled until the likeliest token has a probability of 0.2,
as in a trained model: the engine computes no logit that cannot win, and flat logits would leave it more to do. Firing and
top probability are measured again while it writes.

Compiled engine and eager loop also write one text, token by token, which must be the same; see agreement.py.

    python benchmarks/generation.py [--batches 1,8,64] [--rates 0.1 | --all-rates] [--sampling greedy,temperature,top-k]
        [--model spikewhale_6m [--traits engram,kuramoto] | --run RUN] [--memory] [--threads 1] [--short]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

import wetware
from agreement import Agreement, compare
from harness import (
    Contestant,
    Timing,
    clock_for,
    console,
    interleaved,
    options,
    parse,
    peak_memory,
    positive,
    ratios,
    report,
    say_missing,
    show_table,
)
from matching import SIZES, TRAITS, WHALES, eager, gpt_beside, layers, recurrent_beside, sized, whale
from training import Setting, Text
from wetware.kernels import Refused
from wetware.models import RealSam, SpikeWhale
from wetware.models.dice import Dice
from wetware.models.engines import engines
from wetware.models.generation import Sampling, Session
from wetware.state import size

VOCABULARY = 4096  # of Real Sam
RATES = (0.02, 0.05, 0.1, 0.2, 0.4)
TOP = 0.2  # mean probability of the likeliest token
SEED = 1
SAMPLINGS = {
    "greedy": Sampling(temperature=0.0),
    "temperature": Sampling(temperature=0.8),
    "top-k": Sampling(temperature=0.8, top_k=50),
}
ENGINE, EAGER, GPT, LSTM, CHOICE = "wetware engine", "eager step loop", "gpt, cache", "nn.LSTM", "choice alone, eager"
ROUNDED = {f"{ENGINE}, bfloat16": "bfloat16", f"{ENGINE}, int8": "int8"}
NAMES = (ENGINE, *ROUNDED, EAGER, GPT, LSTM, CHOICE)
PEERS = (EAGER, GPT, LSTM)
MORE = (
    8  # times as many tokens in a block of the compiled engine's: else it would be over before the caches are its own
)


class Model(NamedTuple):
    """The spiking model, in a form from which a fresh process can make it again: a run's, or one from seed 0 with the input
    weights of each layer times ``gains`` and the logits times ``sharpness``."""

    config: RealSam | SpikeWhale
    run: str | None = None
    gains: tuple[float, ...] = ()
    sharpness: float = 1.0


class Case(NamedTuple):
    """What is written: ``block`` tokens at each turn after every row of ``prompt``."""

    model: Model
    sampling: Sampling
    prompt: tuple[tuple[int, ...], ...]
    block: int


# ----------------------------------------------------------------------------------------------------------------- models


@torch.no_grad()
def tuned(config: RealSam | SpikeWhale, rate: float) -> Model:
    """A model that fires at ``rate`` and is as sure of its next token as a trained one."""
    model: Any = config.build(seed=0)
    before = [layer.fc_in.weight.abs().max() for layer in layers(model)]
    tokens = Text(Setting(config.width, config.depth, config.vocab_size, batch=32, chunk=64), chunks=1)()[0]
    model.calibrate(tokens, rate)
    gains = [(layer.fc_in.weight.abs().max() / was).item() for layer, was in zip(layers(model), before, strict=True)]
    start = model.readout.scale.item()
    for _ in range(3):  # from the given text to the model's own, which changes with it
        model.readout.scale.mul_(sharpness(model(tokens).logits[:, 7::8].flatten(0, 1)))
        session = Session(model, Sampling(temperature=1.0), seed=0, batch=len(tokens))
        session.read(tokens[:, :1])
        tokens = session.tokens(64)
    return Model(config, None, tuple(gains), model.readout.scale.item() / start)


def sharpness(logits: Tensor) -> float:
    """What ``logits`` [contexts, V] must be multiplied with for the likeliest token to have a mean probability of ``TOP``."""
    low, high = -10.0, 10.0
    for _ in range(20):
        middle = 0.5 * (low + high)
        top = (logits * 2.0**middle).softmax(-1).amax(-1).mean()
        low, high = (middle, high) if top < TOP else (low, middle)
    return 2.0**middle


@lru_cache(maxsize=3)
@torch.no_grad()
def made(given: Model, name: str) -> Any:
    """The model of a contestant."""
    if name == GPT:
        return gpt_beside(given.config).build(seed=0)
    if name == LSTM:
        return recurrent_beside(given.config, LSTM, seed=0)
    if given.run:
        return wetware.load(given.run)[0]
    model: Any = given.config.build(seed=0)
    for layer, gain in zip(layers(model), given.gains, strict=True):
        layer.fc_in.weight.mul_(gain)
    model.readout.scale.mul_(given.sharpness)
    return model


def prompts(given: Model, batch: int) -> tuple[tuple[int, ...], ...]:
    """What the spiking model writes after one token, another for each text: enough to fill the transformer's window and
    more."""
    config: Any = gpt_beside(given.config)
    session = Session(made(given, ENGINE), Sampling(temperature=1.0), seed=0, batch=batch)
    first = torch.arange(batch)[:, None] % given.config.vocab_size
    session.read(first)
    written = torch.cat([first, session.tokens(config.attention.window + 63)], 1)
    return tuple(tuple(row) for row in written.tolist())


# ------------------------------------------------------------------------------------------------------------ contestants


class Writer:
    """A contestant: it has read the prompt, and writes a block of tokens at each call. Raises Refused when the model cannot
    have the engine that is named."""

    def __init__(self, model: Any, case: Case, engine: str, weights: str = "float32", plain: bool = False) -> None:
        self.plain, self.block = plain, case.block * (MORE if engine == "numba" else 1)
        prompt = torch.tensor(case.prompt)
        with engines.using(engine), self.ops():
            self.session = Session(model, case.sampling, SEED, batch=len(prompt), weights=weights)
            self.session.read(prompt)
        self.read, self.parameters = prompt.shape[1], model.parameter_count()

    def ops(self) -> Any:
        return eager() if self.plain else nullcontext()

    def __call__(self) -> None:
        with self.ops():
            self.session.tokens(self.block)
        self.read += self.block

    def facts(self) -> dict[str, Any]:
        state = size(self.session.state) / len(self.session.seen)
        return {"state_bytes": round(state), "tokens_read": self.read, "parameters": self.parameters}


class Chooser:
    """The choice alone, from logits that are there already."""

    def __init__(self, model: Any, case: Case) -> None:
        self.case, self.block, self.dice = case, case.block, Dice(SEED)
        with torch.inference_mode():
            self.logits = model(torch.tensor(case.prompt)[:, -1:]).logits[:, 0]
        self.seen = torch.zeros_like(self.logits, dtype=torch.bool)

    @torch.inference_mode()
    def __call__(self) -> None:
        for _ in range(self.block):
            self.case.sampling.choose(self.logits, self.seen, self.dice)

    def facts(self) -> dict[str, Any]:
        return {}


def build(case: Case, name: str) -> Any:
    """A contestant, by name; here and in a process of its own. Models are shared between those made here."""
    if name in (GPT, LSTM):
        return Writer(made(case.model, name), case, "reference", plain=True)
    model = made(case.model, ENGINE)
    if name == CHOICE:
        return Chooser(model, case)
    if name == EAGER:
        return Writer(model, case, "reference", plain=True)
    return Writer(model, case, "numba", ROUNDED.get(name, "float32"))


def lineup(case: Case) -> tuple[dict[str, Contestant], dict[str, str]]:
    """All contestants that can take part, and why the others cannot."""
    found: dict[str, Contestant] = {}
    missing: dict[str, str] = {}
    for name in NAMES:
        try:
            found[name] = build(case, name)
        except Refused as refusal:
            missing[name] = str(refusal)
    return found, missing


# ------------------------------------------------------------------------------------------------------------------- main


def per_token(timing: Timing, tokens: int) -> Timing:
    return Timing(tuple(t / tokens for t in timing.wall), tuple(t / tokens for t in timing.cpu))


def summary(contestant: Any, timing: Timing, clock: str) -> dict[str, Any]:
    """A contestant's part of the JSON line; ``timing`` is of one token of one text."""
    row = {f"{kind}_us_median": round(1e6 * timing.median(kind), 3) for kind in ("wall", "cpu")}
    row |= {f"{kind}_us_min": round(1e6 * timing.least(kind), 3) for kind in ("wall", "cpu")}
    return {**row, "tokens_per_s": round(1.0 / timing.median(clock), 1), **contestant.facts()}


def show(title: str, results: dict[str, dict], timings: dict[str, Timing], clock: str) -> None:
    """The table; its ratios are of speed: above 1 is faster than the one in the heading."""

    def column(key: str, scale: float = 1.0) -> dict[str, str]:
        return {name: f"{row[key] / scale:,.0f}" for name, row in results.items() if key in row}

    columns = {"tokens/s": column("tokens_per_s")}
    for heading, peer in (("x eager", EAGER), ("x gpt", GPT), ("x LSTM", LSTM)):
        base = timings[peer].median(clock)
        columns[heading] = {name: f"{base / timings[name].median(clock):.2f}" for name in results if name != CHOICE}
    columns |= {"KiB/text": column("state_bytes", 1024), "read": column("tokens_read")}
    columns["model"] = {name: "changed" if name in ROUNDED else "" for name in results}
    if any("peak_mib" in row for row in results.values()):
        columns["peak MiB"] = column("peak_mib")
        columns["of it own"] = column("above_start_mib")
    show_table(title, timings, columns, unit="us")


def agreement(case: Case, count: int) -> Agreement | None:
    """Engine and eager loop on the last part of the prompt; None without an engine."""
    prompt = torch.tensor(case.prompt)[:, -16:]
    try:
        return compare(made(case.model, ENGINE), prompt, case.sampling, count, SEED)
    except Refused:
        return None


def say(found: Agreement) -> None:
    """Whether the texts were the same, and where and why they parted."""
    what = f"{found.equal:,} of {found.compared:,} tokens equal"
    console().print(
        f"engine and eager loop: {what}; texts that parted at a tie: {len(found.ties)}, without one: {len(found.faults)}"
    )
    for line in (*found.ties[:3], *found.faults):
        console().print(f"  {line}")
    rate = sum(found.firing) / len(found.firing)
    layers = ", ".join(f"{block:.1%}" for block in found.firing)
    console().print(f"while writing: firing {rate:.1%} ({layers}), mean top probability {found.top:.2f}\n")


def measure(case: Case, name: str, label: str, given: argparse.Namespace) -> dict[str, Any]:
    """All contestants at one batch size and way of choosing; prints their table."""
    clock, batch = clock_for(given.threads), len(case.prompt)
    contestants, missing = lineup(case)
    raw = interleaved(contestants, given.rounds, 1, f"writing, batch {batch}, {name}")
    timings = {who: per_token(timing, contestants[who].block * batch) for who, timing in raw.items()}
    results = {who: summary(contestants[who], timing, clock) for who, timing in timings.items()}
    if given.memory:
        for who, row in results.items():
            row |= peak_memory(build, case, who, threads=given.threads).row()
    show(f"microseconds for a token of a text: {label}, batch {batch}, {name}", results, timings, clock)
    say_missing(missing)
    agreed = agreement(case, given.check)
    if agreed:
        say(agreed)
    models = {who: timing for who, timing in timings.items() if who != CHOICE}
    compared = ratios(models, [who for who in results if who.startswith(ENGINE)], clock)
    return {
        "results": results,
        "ratios": compared,
        "missing": missing,
        "agreement": agreed._asdict() if agreed else None,
    }


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = options(__doc__, rounds=8)
    parser.add_argument("--model", choices=(*SIZES, *WHALES), default="real_sam", help="by name (default: real_sam)")
    parser.add_argument("--width", type=positive, help="instead of the named model's")
    parser.add_argument("--depth", type=positive, help="instead of the named model's")
    parser.add_argument("--vocabulary", type=positive, help="instead of the named model's")
    parser.add_argument("--traits", default="", help=f"of SpikeWhale, of {', '.join(TRAITS)} (default: none)")
    parser.add_argument("--run", help="the folder of a trained Real Sam or SpikeWhale, to be used as it is")
    parser.add_argument("--batches", default="1,8,64", help="texts side by side (default: 1,8,64)")
    parser.add_argument("--rates", default="0.1", help="firing rates, as in 0.02,0.1 (default: 0.1)")
    parser.add_argument("--all-rates", action="store_true", help=f"the rates {', '.join(map(str, RATES))}")
    parser.add_argument(
        "--sampling", default="greedy,temperature", help=f"of {', '.join(SAMPLINGS)} (default: greedy,temperature)"
    )
    parser.add_argument(
        "--tokens", type=positive, help="in a block of each text (default: 32 for one text, 16 for 8, 8 for more)"
    )
    parser.add_argument("--check", type=positive, default=64, help="tokens that must be equal (default: 64)")
    parser.add_argument(
        "--memory", action="store_true", help="also peak memory, each contestant in a process of its own"
    )
    short = {"rounds": 3, "width": 128, "depth": 2, "vocabulary": 512, "batches": "1,8", "tokens": 4, "check": 16}
    given = parse(parser, argv, short)
    if unknown := set(given.sampling.split(",")) - set(SAMPLINGS):
        parser.error(f"--sampling {min(unknown)}: allowed {', '.join(SAMPLINGS)}")
    given.traits = tuple(filter(None, given.traits.split(",")))
    if unknown := set(given.traits) - set(TRAITS):
        parser.error(f"--traits {min(unknown)}: allowed {', '.join(TRAITS)}")
    if given.traits and given.model not in WHALES:
        parser.error(f"--traits: only SpikeWhale has any, and --model is {given.model}")
    return given


def models(given: argparse.Namespace) -> dict[str, Model]:
    """What is to write, by what it is called."""
    if given.run:
        config = wetware.load(given.run)[0].config
        if not isinstance(config, (RealSam, SpikeWhale)):
            name = type(config).__name__
            raise SystemExit(f"--run {given.run}: a {name}, and only Real Sam and SpikeWhale have an engine to measure")
        return {"trained": Model(config, given.run)}
    if given.model in WHALES:
        config: Any = whale(given.model, given.width, given.depth, given.vocabulary, given.traits)
    else:
        width, depth = SIZES[given.model]
        config = sized(given.width or width, given.depth or depth, given.vocabulary or VOCABULARY).model
    rates = RATES if given.all_rates else tuple(float(text) for text in given.rates.split(","))
    return {f"firing {rate:.0%}": tuned(config, rate) for rate in rates}


def main(argv: Sequence[str] | None = None) -> int:
    given = arguments(argv)
    clock = clock_for(given.threads)
    console().print(f"tokens/s and ratios from median {clock} times, threads: {given.threads}; above 1 is faster")
    console().print(
        "read: tokens of a text that have been read or written at the end; the transformer's window was full before"
    )
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for label, model in models(given).items():
        named = f"{model.config.depth} x {model.config.width}, {label}"
        for batch in (int(text) for text in given.batches.split(",")):
            block = given.tokens or {1: 32, 8: 16}.get(batch, 8)
            prompt = prompts(model, batch)
            for name in given.sampling.split(","):
                case = Case(model, SAMPLINGS[name], prompt, block)
                found.setdefault(label, {})[f"batch {batch}, {name}"] = measure(case, name, named, given)
    parts = {
        part: {label: {case: row[part] for case, row in rows.items()} for label, rows in found.items()}
        for part in ("results", "ratios", "missing", "agreement")
    }
    shape = {"width": model.config.width, "depth": model.config.depth, "vocabulary": model.config.vocab_size}
    report("generation", argv, given.threads, clock=clock, rounds=given.rounds, **shape, **parts)
    agreed = [one for rows in parts["agreement"].values() for one in rows.values() if one]
    return 1 if any(one["faults"] for one in agreed) else 0


if __name__ == "__main__":
    raise SystemExit(main())
