"""What several commands share: how one is made, and the numbers it takes."""

from __future__ import annotations

import argparse
import os
from typing import Any, NoReturn


class Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=min(110, int(os.environ.get("COLUMNS", 100))))


class Parser(argparse.ArgumentParser):
    """An error is one line that says where to read on, not a page of usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see: {self.prog} --help)\n")


def new_command(commands: Any, name: str, about: str, more: str = "") -> argparse.ArgumentParser:
    return commands.add_parser(name, help=about, description=about, epilog=more, formatter_class=Formatter)


def device_options(
    command: argparse.ArgumentParser, about: str = "processor threads (default: one for each core)"
) -> None:
    command.add_argument(
        "--device", default="auto", metavar="auto|cpu|cuda|mps", help="where to compute (default: the best)"
    )
    command.add_argument("--threads", type=threads, metavar="N", help=about)


def set_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        dest="settings",
        help="change any field of the config; model. may be left out of its path where no other part has such a field",
    )


def data_option(command: argparse.ArgumentParser, meaning: str) -> None:
    command.add_argument(
        "--data",
        metavar="TEXT",
        help=f"{meaning}: sotu, fineweb_finemath, a .txt, .jsonl or .parquet file, a folder of them, hf:OWNER/NAME, "
        "or a mixture by token share: 0.75*hf:OWNER/NAME+0.25*my_texts/",
    )


def _number(text: str, kind: type, low: float, high: float) -> float:
    try:
        value = kind(text.replace("_", ""))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no {'whole ' if kind is int else ''}number") from None
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text[:40]} is not allowed: {low} or more, {high:g} at most")
    return value


def positive(text: str) -> int:
    return int(_number(text, int, 1, 10**15))


def threads(text: str) -> int:
    return int(_number(text, int, 1, 1024))


def seed(text: str) -> int:
    return int(_number(text, int, 0, 2**63 - 1))


def positive_number(text: str) -> float:
    return _number(text, float, 1e-3, 1e9)
