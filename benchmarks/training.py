"""How fast does a whole spiking language model train, beside others with as many parameters?

One optimizer step as ``Trainer.update`` takes it: forward with carried state, cross-entropy and the model's own losses,
backward, the norm of the gradients, clipping, the optimizer, stress. Contestants:

- Real Sam with each backend of ``lif_scan``; ``reference`` is plain eager PyTorch, the loop that everything is held against;
- the transformer of the recipe ``gpt``, and, at other sizes than the recipe's, one as deep of the width that fits;
- language models of two ``nn.LSTM`` or ``nn.GRU`` layers with a tied readout, of the width that fits;
- with ``--bfloat16``, Real Sam and the transformer again with forward and loss under bfloat16 autocast, as ``Trainer`` has it.

Real Sam is calibrated to 10 % firing first and learns a hundredth as fast as in training, so that it stays there while it is
timed. Tokens are drawn from a Zipf-like distribution, with a document boundary every 2,000 or so.

    python benchmarks/training.py [--model spikewhale-size] [--bfloat16] [--memory] [--profile] [--threads 1] [--short]
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from harness import (
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
from matching import BOUNDARY, SIZES, Setting, eager, recurrent_beside
from wetware.kernels import Refused, lif_scan
from wetware.models import LanguageModel
from wetware.modulation import signals_of
from wetware.state import detach
from wetware.training import Run, cross_entropy
from wetware.training.optimizers import gradient_norm, scale_gradients

DOCUMENT = 2000  # tokens that a document has
FIRING = 0.10
LEARNING = 0.01  # of the recipe's rates
SAM, BFLOAT16 = "real_sam", ", bfloat16"
PHASES = ("forward", "backward", "optimizer")


def using(backend: str | None) -> AbstractContextManager[None]:
    """Run this backend of ``lif_scan``, and with ``reference`` that of every op; None leaves the choice to them."""
    if backend is None:
        return nullcontext()
    return eager() if backend == "reference" else lif_scan.using(backend)


class Text:
    """Batches of tokens, made before the clock runs: the frequency of a token falls as one over its rank."""

    def __init__(self, setting: Setting, chunks: int = 16) -> None:
        generator = torch.Generator().manual_seed(0)
        weights = 1.0 / torch.arange(1, setting.vocabulary, dtype=torch.float64)
        shape, length = (setting.batch, chunks * setting.chunk + 1), setting.chunk
        drawn = torch.multinomial(weights, shape[0] * shape[1], True, generator=generator).view(shape) + 1
        drawn[torch.rand(shape, generator=generator) < 1 / DOCUMENT] = BOUNDARY
        starts = range(0, chunks * length, length)
        self.chunks = [(drawn[:, at : at + length], drawn[:, at + 1 : at + 1 + length]) for at in starts]
        self.next = 0

    def __call__(self) -> tuple[Tensor, Tensor]:
        self.next += 1
        return self.chunks[(self.next - 1) % len(self.chunks)]


class Step:
    """One training step of a model, state carried from call to call, with the seconds of each phase."""

    def __init__(
        self, model: LanguageModel, run: Run, text: Text, backend: str | None = None, bfloat16: bool = False
    ) -> None:
        self.model, self.text, self.backend, self.clip = model, text, backend, run.training.clip
        self.bfloat16 = bfloat16
        self.learning, self.optimizers = LEARNING, run.training.optimizer.build(model)
        self.trackers = model.signal_trackers()
        self.state = model.init_state(run.training.batch)
        self.phases: list[tuple[float, ...]] = []
        self.rates: list[list[float]] = []

    def forward(self, inputs: Tensor, targets: Tensor) -> tuple[Any, Tensor]:
        """What the model says, and its cross-entropy."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            output = self.model(inputs, self.state, signals=signals_of(self.trackers))
            return output, cross_entropy(output.logits, targets)

    def __call__(self) -> None:
        with using(self.backend):
            self.update()

    def update(self) -> None:
        inputs, targets = self.text()
        clocks = [time.perf_counter()]
        output, entropy = self.forward(inputs, targets)
        total = entropy + sum(output.losses.values())
        clocks.append(time.perf_counter())
        total.backward()
        self.state = detach(output.state)
        clocks.append(time.perf_counter())
        norm = gradient_norm(self.model)
        if norm > self.clip:
            scale_gradients(self.model, self.clip / norm)
        self.optimizers.step(self.learning)
        heard = entropy.item()
        for tracker in self.trackers.values():
            tracker.update(heard)
        self.optimizers.zero_grad()
        self.rates.append([layer.spikes.detach().mean().item() for layer in output.activity])
        clocks.append(time.perf_counter())
        self.phases.append(tuple(end - start for start, end in itertools.pairwise(clocks)))

    def shares(self, rounds: int) -> dict[str, float]:
        """What each phase had of the wall time, in the last ``rounds`` steps."""
        sums = [sum(phase) for phase in zip(*self.phases[-rounds:], strict=True)]
        return {name: round(part / sum(sums), 3) for name, part in zip(PHASES, sums, strict=True)}


# ----------------------------------------------------------------------------------------------------------- contestants


def names(bfloat16: bool = False) -> list[str]:
    found = [*(f"{SAM}, {name}" for name in lif_scan.names), "gpt"]
    return [*found, *(name + BFLOAT16 for name in found if bfloat16), "nn.LSTM", "nn.GRU"]


def build_step(setting: Setting, name: str) -> Step:
    """A contestant, by name; ``real_sam`` alone runs the backend that ``lif_scan`` picks. Raises Refused when the backend
    that is named does not take the model's layers."""
    run, text = setting.sam(), Text(setting)
    name, bfloat16 = name.removesuffix(BFLOAT16), name.endswith(BFLOAT16)
    if name == "gpt":
        return Step(setting.gpt().build(run.seed), run, text, bfloat16=bfloat16)
    if name.startswith("nn."):
        return Step(recurrent_beside(run.model, name, run.seed), run, text)
    backend = None if name == SAM else name.removeprefix(f"{SAM}, ")
    model = run.model.build(run.seed)
    with using(backend), torch.no_grad():
        model(text.chunks[0][0][:1, :32])  # a backend that refuses does so before the long calibration
    model.calibrate(text.chunks[0][0], FIRING)
    return Step(model, run, text, backend, bfloat16)


def lineup(setting: Setting, bfloat16: bool = False) -> tuple[dict[str, Step], dict[str, str]]:
    """All contestants that can take part, and why the others cannot."""
    steps, missing = {}, {}
    for name in names(bfloat16):
        try:
            steps[name] = build_step(setting, name)
        except Refused as refusal:
            missing[name] = str(refusal)
    return steps, missing


# ------------------------------------------------------------------------------------------------------------------ main


def summary(step: Step, timing: Timing, clock: str, tokens: int) -> dict[str, Any]:
    """A contestant's part of the JSON line."""
    row = {**timing.row(), "tokens_per_s": round(tokens / timing.median(clock), 1)}
    row |= {"parameters": step.model.parameter_count(), "shares": step.shares(len(timing.wall))}
    timed = step.rates[-len(timing.wall) :]
    if timed[0]:
        row["firing"] = [round(sum(layer) / len(layer), 4) for layer in zip(*timed, strict=True)]
    return row


def show(setting: Setting, results: dict[str, dict], timings: dict[str, Timing], clock: str) -> None:
    """The table; its ratios are of speed: above 1 is faster than the one in the heading."""

    def column(text: Any) -> dict[str, str]:
        return {name: text(row) for name, row in results.items()}

    def against(other: str) -> dict[str, str]:
        base = timings[other].median(clock)
        return {name: f"{base / timing.median(clock):.2f}" for name, timing in timings.items()}

    columns = {
        "tokens/s": column(lambda row: f"{row['tokens_per_s']:,.0f}"),
        "x reference": against(f"{SAM}, reference"),
        "x gpt": against("gpt"),
        "parameters": column(lambda row: f"{row['parameters']:,}"),
        "firing": column(lambda row: f"{sum(row['firing']) / len(row['firing']):.1%}" if "firing" in row else ""),
        "fwd/bwd/opt %": column(lambda row: "/".join(f"{100 * share:.0f}" for share in row["shares"].values())),
    }
    if any("peak_mib" in row for row in results.values()):
        columns["peak MiB"] = column(lambda row: f"{row['peak_mib']:,.0f}")
    title = f"training step, width {setting.width}, depth {setting.depth}, batch {setting.batch}, chunk {setting.chunk}"
    show_table(title, timings, columns)


def profile(setting: Setting) -> None:
    """What the backend that ``lif_scan`` picks by itself spends its time on."""
    step = build_step(setting, SAM)
    step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as recorded:
        for _ in range(3):
            step()
    print(recorded.key_averages().table(sort_by="self_cpu_time_total", row_limit=20, max_name_column_width=50))


def arguments(argv: Sequence[str] | None) -> tuple[argparse.Namespace, Setting]:
    parser = options(__doc__, rounds=10)
    parser.add_argument("--model", choices=SIZES, default="real_sam", help="a size by name (default: real_sam)")
    parser.add_argument("--width", type=positive, help="of Real Sam, instead of the named size's")
    parser.add_argument("--depth", type=positive, help="of Real Sam, instead of the named size's")
    parser.add_argument("--vocabulary", type=positive, default=4096)
    parser.add_argument("--batch", type=positive, default=32)
    parser.add_argument("--chunk", type=positive, default=64)
    parser.add_argument("--warmup", type=positive, default=3)
    parser.add_argument("--bfloat16", action="store_true", help="also with products in bfloat16")
    parser.add_argument(
        "--memory", action="store_true", help="also peak memory, each contestant in a process of its own"
    )
    parser.add_argument("--profile", action="store_true", help="also the operations that take longest")
    given = parse(parser, argv, {"rounds": 5, "width": 256, "depth": 2, "batch": 16, "vocabulary": 1024})
    width, depth = SIZES[given.model]
    return given, Setting(given.width or width, given.depth or depth, given.vocabulary, given.batch, given.chunk)


def main(argv: Sequence[str] | None = None) -> int:
    given, setting = arguments(argv)
    clock = clock_for(given.threads)
    steps, missing = lineup(setting, given.bfloat16)
    # The transformer's cache grows until its window is full: only then is a step the step of a long run.
    window = setting.gpt().attention.window or 0
    timings = interleaved(steps, given.rounds, max(given.warmup, window // given.chunk + 1), "training steps")
    tokens = setting.batch * setting.chunk
    results = {name: summary(step, timings[name], clock, tokens) for name, step in steps.items()}
    if given.memory:
        del steps  # each is measured in a process of its own, which should not have to share the machine's memory
        for name, row in results.items():
            row |= peak_memory(build_step, setting, name, threads=given.threads).row()
    console().print(f"tokens/s and ratios from median {clock} times, threads: {given.threads}; above 1 is faster")
    show(setting, results, timings, clock)
    say_missing(missing)
    if given.profile:
        profile(setting)
    compared = ratios(timings, [name for name in results if name.startswith(SAM)], clock)
    found = {"results": results, "ratios": compared, "missing": missing, "rounds": given.rounds}
    report("training", argv, given.threads, clock=clock, **setting._asdict(), **found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
