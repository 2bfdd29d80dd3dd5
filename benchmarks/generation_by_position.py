"""Does a token cost the same at position 10 and at position 20,000?

Two sessions of one model, one that has read 10 tokens and one that has read 20,000, write in turns, so that a machine that
slows down slows both. Printed: median time of a token, the ratio, and the bytes of the state. The GPT beside it has no
window: its cache grows.

    python benchmarks/generation_by_position.py [--tokens 300] [--position 20000] [--threads 1] [--short]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

import wetware
from harness import options, parse, positive, report
from wetware.models.generation import Sampling, Session
from wetware.state import size


def measure(config: wetware.ModelConfig, positions: tuple[int, int], count: int) -> dict[str, float]:
    model = config.build(seed=0)
    sessions = []
    for position in positions:
        session = Session(model, Sampling(temperature=1.0), seed=1)
        generator = torch.Generator().manual_seed(2)
        session.read(torch.randint(1, config.vocab_size, (position,), generator=generator).tolist())
        sessions.append(session)
    times: list[list[float]] = [[], []]
    for turn in range(count + 20):
        # the first tokens warm caches up; who goes first changes at every turn
        for index in (0, 1) if turn % 2 else (1, 0):
            start = time.perf_counter()
            sessions[index].next()
            times[index].append(time.perf_counter() - start)
    early, late = (statistics.median(series[20:]) for series in times)
    states = [size(session.state) for session in sessions]
    return {
        "early_us": early * 1e6,
        "late_us": late * 1e6,
        "ratio": late / early,
        "state": states[1],
        "state_ratio": states[1] / states[0],
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = options(__doc__, rounds=300)
    parser.add_argument("--tokens", type=positive, help="another name of --rounds: tokens written by each session")
    parser.add_argument("--position", type=positive, default=20_000)
    parser.add_argument("--within", type=float, help="fail when a spiking model's ratio is further from 1 than this")
    given = parse(parser, argv, {"rounds": 30, "position": 1000})
    small = wetware.recipe("gpt_small").model
    contestants = {
        "real_sam": wetware.recipe("real_sam").model,
        "real_sam_small": wetware.recipe("real_sam_small").model,
        "gpt_small, no window": replace(small, attention=replace(small.attention, window=None)),
    }
    print(
        f"{'model':22s}{'token 10':>12s}{f'token {given.position}':>14s}{'ratio':>8s}{'state, KiB':>12s}{'state ratio':>13s}"
    )
    results = {}
    for name, config in contestants.items():
        row = results[name] = measure(config, (10, given.position), given.tokens or given.rounds)
        times = f"{row['early_us']:9.0f} us{row['late_us']:11.0f} us{row['ratio']:8.3f}"
        print(f"{name:22s}{times}{row['state'] / 1024:12.1f}{row['state_ratio']:13.2f}")
    bad = [name for name, row in results.items() if "sam" in name and abs(row["ratio"] - 1) > (given.within or 1e9)]
    compared = {name: {"late / early": row["ratio"]} for name, row in results.items()}
    report("generation_by_position", argv, given.threads, results=results, ratios=compared, position=given.position)
    if bad:
        raise SystemExit(f"further from 1 than {given.within}: {', '.join(bad)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
