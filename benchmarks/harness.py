"""What all benchmarks share: contestants timed in turns, a table, one JSON line, and peak memory.

A machine that slows down, for heat or for somebody else's job, slows whoever runs at that moment. Everything that is compared
is therefore timed in one process, round by round, and the order changes at every round.

Two clocks are read. *Wall* is what one waits. *CPU* is the time all threads of this process spent: with one thread it is what
an idle machine's wall clock would show, whatever else runs; with more it also counts threads that spin while they wait, so
ratios are made from wall times there. Medians are compared; the minimum beside each shows how noisy the run was.

Buffers that are freed stay with the process where the C library can be told so, for all contestants alike, as they do in the
commands that train: a fresh buffer of 32 MB costs eight thousand interrupts, which would be charged to whoever asks for it.
``--fresh-buffers`` leaves the C library as it is.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from wetware.training import memory

Contestant = Callable[[], None]
LOAD = os.getloadavg()[0] if hasattr(os, "getloadavg") else None  # of the last minute, before this process adds to it
# Variables that move the figures; whichever is set is part of the result.
INFLUENTIAL = ("MALLOC_", "GLIBC_TUNABLES", "THP_MEM_ALLOC", "LD_PRELOAD", "OMP_", "KMP_", "GOMP_", "MKL_", "NUMBA_")
KEPT, FRESH = "kept", "fresh"
_buffers = FRESH  # what becomes of freed buffers in this process


class Timing(NamedTuple):
    """Seconds of each round, by both clocks."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    def median(self, clock: str) -> float:
        return statistics.median(getattr(self, clock))

    def least(self, clock: str) -> float:
        return min(getattr(self, clock))

    def row(self) -> dict[str, float]:
        """For the JSON line, in milliseconds."""
        return {
            f"{clock}_ms_{name}": round(1e3 * figure(clock), 4)
            for clock in ("wall", "cpu")
            for name, figure in (("median", self.median), ("min", self.least))
        }


class Progress:
    """What goes on, on stderr, once it has taken two seconds: in place at a terminal, else a line every ten seconds."""

    def __init__(self, what: str) -> None:
        self.what, self.started, self.terminal = what, time.monotonic(), sys.stderr.isatty()
        self.due, self.said = self.started + 2.0, False

    def __call__(self, where: str) -> None:
        now = time.monotonic()
        if now < self.due:
            return
        self.due, self.said = now + (0.2 if self.terminal else 10.0), True
        text = f"{self.what}: {where}, {now - self.started:.0f} s"
        print(
            f"\r\x1b[K{text}" if self.terminal else text, end="" if self.terminal else "\n", file=sys.stderr, flush=True
        )

    def done(self) -> None:
        if self.said and self.terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


# ---------------------------------------------------------------------------------------------------------------- timing


def order(names: Sequence[str], turn: int) -> list[str]:
    """Who runs when in a round: one place further at each, and backwards in every other lap, so that over two laps each
    contestant has had every place, and not always the same one before it."""
    start = turn % len(names)
    turned = [*names[start:], *names[:start]]
    return turned[::-1] if turn // len(names) % 2 else turned


def interleaved(
    contestants: Mapping[str, Contestant], rounds: int, warmup: int = 1, what: str = "timing"
) -> dict[str, Timing]:
    """Run every contestant once per round, after ``warmup`` rounds that are not counted.

    Python's garbage collector runs between contestants, off the clock, so that none pays for another's garbage.
    """
    names, progress = list(contestants), Progress(what)
    wall: dict[str, list[float]] = {name: [] for name in names}
    cpu: dict[str, list[float]] = {name: [] for name in names}
    collecting = gc.isenabled()
    gc.collect()
    gc.freeze()  # what is there already is not looked through again, which would empty the caches before each run
    gc.disable()
    try:
        for turn in range(-warmup, rounds):
            for name in order(names, turn % (2 * len(names))):
                progress(f"round {turn + 1} of {rounds}, {name}" if turn >= 0 else f"warm-up, {name}")
                gc.collect()
                run, before, start = contestants[name], time.process_time(), time.perf_counter()
                run()
                end, after = time.perf_counter(), time.process_time()
                if turn >= 0:
                    wall[name].append(end - start)
                    cpu[name].append(after - before)
    finally:
        progress.done()
        gc.unfreeze()
        if collecting:
            gc.enable()
    return {name: Timing(tuple(wall[name]), tuple(cpu[name])) for name in names}


def clock_for(threads: int) -> str:
    """The clock that ratios are made from; see the top of this file."""
    return "cpu" if threads == 1 else "wall"


def ratios(timings: Mapping[str, Timing], ours: Sequence[str], clock: str) -> dict[str, dict[str, float]]:
    """``{one of ours: {anybody else: how many times as long the other takes}}``: above 1, ours is faster."""
    return {
        mine: {
            other: round(timing.median(clock) / timings[mine].median(clock), 4)
            for other, timing in timings.items()
            if other != mine
        }
        for mine in ours
    }


# ---------------------------------------------------------------------------------------------------------------- memory


class Memory(NamedTuple):
    """Resident bytes of a process: before the contestant was made, and at most until it had run."""

    before: int
    peak: int

    def row(self) -> dict[str, float]:
        """For the JSON line, in MiB."""
        return {"peak_mib": round(self.peak / 2**20, 1), "above_start_mib": round((self.peak - self.before) / 2**20, 1)}


def peak_memory(build: Callable[..., Contestant], *arguments: Any, steps: int = 3, threads: int = 1) -> Memory:
    """Peak memory of ``steps`` runs of ``build(*arguments)`` in a process of its own, started afresh: what others have
    allocated and given back would otherwise hide it. ``build`` stands at the top of a module, for it is found by name.
    Buffers are kept there if they are kept here."""
    here, there = multiprocessing.get_context("spawn").Pipe(duplex=False)
    child = multiprocessing.get_context("spawn").Process(
        target=_child, args=(there, build, arguments, steps, threads, _buffers == KEPT), daemon=True
    )
    child.start()
    there.close()
    try:
        return Memory(*here.recv())
    except EOFError:
        raise RuntimeError(f"{build.__name__}{arguments}: its process ended before it had run") from None
    finally:
        child.join()


def _child(pipe: Any, build: Callable[..., Contestant], arguments: tuple, steps: int, threads: int, keep: bool) -> None:
    set_threads(threads)
    if keep:
        memory.keep_buffers()
    before = peak_resident()
    run = build(*arguments)
    for _ in range(steps):
        run()
    pipe.send((before, peak_resident()))


def peak_resident() -> int:
    """The most bytes this process has had in memory.

    On Linux ``ru_maxrss`` of a child starts at what its parent had when it started it, which for a small child of a large
    parent is all one would see; the kernel's VmHWM is of the present program alone.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = [line.split() for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        if found:
            return int(found[0][1]) * 1024
    import resource  # not on Windows

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


# ------------------------------------------------------------------------------------------------------------- arguments


def options(about: str | None, rounds: int) -> argparse.ArgumentParser:
    """A parser with the arguments that all benchmarks have."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--rounds", type=positive, default=rounds, help=f"timed rounds (default: {rounds})")
    made.add_argument("--threads", type=positive, default=1, help="threads of PyTorch and Numba (default: 1)")
    made.add_argument("--short", action="store_true", help="a small set, in seconds; what else is given still holds")
    made.add_argument(
        "--fresh-buffers",
        action="store_true",
        help="let the C library give freed buffers back to the system, as it does",
    )
    return made


def parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None, short: dict[str, Any]) -> argparse.Namespace:
    """The arguments given, with ``short`` as the defaults of ``--short``; sets the number of threads, and what becomes of freed
    buffers."""
    global _buffers
    given = parser.parse_args(argv)
    if given.short:
        parser.set_defaults(**short)
        given = parser.parse_args(argv)
    set_threads(given.threads)
    _buffers = FRESH if given.fresh_buffers or not memory.keep_buffers() else KEPT
    return given


def positive(text: str) -> int:
    """An integer from 1, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value}: allowed 1 or more")
    return value


def set_threads(threads: int) -> None:
    torch.set_num_threads(threads)
    if find_spec("numba"):  # its pool is not PyTorch's
        import numba

        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))


# --------------------------------------------------------------------------------------------------------------- results


def show_table(
    title: str, timings: Mapping[str, Timing], columns: Mapping[str, Mapping[str, str]], unit: str = "ms"
) -> None:
    """A line for each contestant: both clocks in ``unit``, ms or us, then ``columns``, ``{heading: {contestant: text}}``."""
    scale = {"ms": 1e3, "us": 1e6}[unit]
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("contestant", no_wrap=True)
    for heading in (f"wall {unit}", "min", f"cpu {unit}", "min", *columns):
        table.add_column(heading, justify="right")
    for name, timing in timings.items():
        clocks = [scale * figure(clock) for clock in ("wall", "cpu") for figure in (timing.median, timing.least)]
        extra = [column.get(name, "") for column in columns.values()]
        table.add_row(name, *(f"{value:.4g}" if value < 1e3 else f"{value:.0f}" for value in clocks), *extra)
    console().print(table)


def console() -> Console:
    """stdout; into a file or a pipe it is wide enough for every table, for nothing there would wrap it again."""
    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 140)


def say_missing(missing: Mapping[str, str]) -> None:
    """Who could not take part, and why."""
    for name, reason in missing.items():
        console().print(f"not measured: {name}: {reason}", soft_wrap=True)


def command_line(name: str, argv: Sequence[str] | None) -> str:
    return shlex.join(["python", f"benchmarks/{name}.py", *(sys.argv[1:] if argv is None else argv)])


def report(name: str, argv: Sequence[str] | None, threads: int, **findings: Any) -> None:
    """Print the command that was run and, last, the JSON line: where and with what it ran, then ``findings``."""
    command = command_line(name, argv)
    print(f"command: {command}")
    line = {
        "benchmark": name,
        "command": command,
        "threads": threads,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "load_before": LOAD,
        "buffers": _buffers,
        "environment": {key: value for key, value in sorted(os.environ.items()) if key.startswith(INFLUENTIAL)},
        **findings,
    }
    print(json.dumps(line), flush=True)


def cpu_name() -> str:
    """The processor's model, where the system tells it."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.lower().startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
