"""The terminal, or whatever stands in its place."""

from __future__ import annotations

import os
import sys
from typing import Any

import rich.console


class Console(rich.console.Console):
    """A console that outlives its reader: when the pipe it writes to is closed it falls silent, and the work goes on."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(highlight=False, **keywords)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        silence()


def silence() -> None:
    """Let what is still to be written to standard output go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
