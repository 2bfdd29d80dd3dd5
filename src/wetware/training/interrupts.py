"""Interrupts: a run that is asked to stop finishes its step and leaves a checkpoint."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Generator
from typing import Any

from wetware.training.reporting import Reporter


@contextlib.contextmanager
def catching(reporter: Reporter) -> Generator[list[int]]:
    """Collect SIGINT and SIGTERM instead of dying of them; a second one of either kind is obeyed at once."""
    caught: list[int] = []

    def catch(number: int, _: Any) -> None:
        caught.append(number)
        reporter.message("stopping with a checkpoint, after what is being done now ... (again: at once)")
        signal.signal(number, previous[signal.Signals(number)])

    try:
        previous = {number: signal.signal(number, catch) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # signals reach the main thread only; elsewhere there is nothing to catch
        yield caught
        return
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
