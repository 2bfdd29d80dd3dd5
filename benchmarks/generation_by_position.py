"""Does a token cost the same at position 10 and at position 100,000?

Two sessions of one model, one that has read 10 tokens and one that has read 100,000, write in turns, so that a machine that
slows down slows both. Printed: median time of a token, the ratio, and the bytes of the state. Real Sam writes by the engine
that it gets by itself, which is the compiled one where there is numba, and by its own forward. The GPT beside it has no window:
its cache grows, and as reading takes it the square of the time, it reads 20,000 at most. Two compiled engines have two copies
of the weights, which drive each other from the caches: for how long a token takes, see generation.py.

    python benchmarks/generation_by_position.py [--tokens 300] [--position 100000] [--within 0.1] [--threads 1] [--short]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch

import wetware
from harness import Progress, options, parse, positive, report
from wetware.models import LanguageModel
from wetware.models.engines import engines
from wetware.models.generation import Sampling, Session
from wetware.state import size

EARLY, LONGEST = 10, 20_000  # where the first session is; how far one without a window gets in reasonable time
WARMUP = 20
PIECE = 4096  # of a prompt, read at once: reading is not what is measured


def reader(model: LanguageModel, engine: str | None, position: int) -> Session:
    """A session that has read ``position`` tokens."""
    with nullcontext() if engine is None else engines.using(engine):
        session = Session(model, Sampling(temperature=1.0), seed=1, chunk=PIECE)
    generator = torch.Generator().manual_seed(2)
    session.read(torch.randint(1, model.vocab_size, (position,), generator=generator).tolist())
    return session


def measure(model: LanguageModel, engine: str | None, position: int, count: int) -> dict[str, Any]:
    """``count`` tokens of each session, after some that are not counted."""
    sessions = [reader(model, engine, at) for at in (EARLY, position)]
    times: list[list[float]] = [[], []]
    for turn in range(count + WARMUP):
        # the first tokens warm caches up; who goes first changes at every turn
        for index in (0, 1) if turn % 2 else (1, 0):
            start = time.perf_counter()
            sessions[index].next()
            times[index].append(time.perf_counter() - start)
    early, late = (statistics.median(series[WARMUP:]) for series in times)
    states = [size(session.state) for session in sessions]
    return {
        "position": position,
        "early_us": early * 1e6,
        "late_us": late * 1e6,
        "ratio": late / early,
        "state": states[1],
        "state_ratio": states[1] / states[0],
    }


def contestants(position: int) -> dict[str, tuple[wetware.ModelConfig, str | None, int]]:
    """A model, its engine (None: the one it gets by itself) and where its second session is."""
    small = wetware.recipe("gpt_small").model
    unbounded = replace(small, attention=replace(small.attention, window=None))
    found: dict[str, tuple[wetware.ModelConfig, str | None, int]] = {}
    for name in ("real_sam", "real_sam_small"):
        model = wetware.recipe(name).model
        found |= {name: (model, None, position), f"{name}, forward": (model, "reference", position)}
    return found | {"gpt_small, no window": (unbounded, None, min(position, LONGEST))}


def main(argv: Sequence[str] | None = None) -> int:
    parser = options(__doc__, rounds=300)
    parser.add_argument("--tokens", type=positive, help="another name of --rounds: tokens written by each session")
    parser.add_argument("--position", type=positive, default=100_000)
    parser.add_argument("--within", type=float, help="fail when a spiking model's ratio is further from 1 than this")
    given = parse(parser, argv, {"rounds": 30, "position": 1000})
    heading = f"{'model':22s}{'position':>9s}{f'token {EARLY}':>12s}{'there':>14s}"
    print(f"{heading}{'ratio':>8s}{'state, KiB':>12s}{'state ratio':>13s}")
    results: dict[str, dict[str, Any]] = {}
    progress = Progress("reading and writing")
    for name, (config, engine, position) in contestants(given.position).items():
        progress(name)
        model = config.build(seed=0)
        row = results[name] = measure(model, engine, position, given.tokens or given.rounds)
        row["engine"] = engines.explain(model) if engine is None else "reference"
        times = f"{row['early_us']:9.0f} us{row['late_us']:11.0f} us{row['ratio']:8.3f}"
        print(f"{name:22s}{position:9d}{times}{row['state'] / 1024:12.1f}{row['state_ratio']:13.2f}", flush=True)
    progress.done()
    bad = [name for name, row in results.items() if "sam" in name and abs(row["ratio"] - 1) > (given.within or 1e9)]
    compared = {name: {"late / early": row["ratio"]} for name, row in results.items()}
    report("generation_by_position", argv, given.threads, results=results, ratios=compared, position=given.position)
    if bad:
        raise SystemExit(f"further from 1 than {given.within}: {', '.join(bad)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
