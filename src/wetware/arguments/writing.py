"""Options of the commands that write text."""

from __future__ import annotations

import argparse

from wetware.arguments.common import positive, seed


def sampling_options(command: argparse.ArgumentParser, tokens: int) -> None:
    command.add_argument(
        "--tokens", type=positive, default=tokens, metavar="N", help=f"at most so many (default: {tokens})"
    )
    command.add_argument(
        "--temperature", type=float, default=0.8, metavar="T", help="0 = always the likeliest (default: 0.8)"
    )
    command.add_argument("--top-k", type=positive, metavar="K", help="choose among the K likeliest")
    command.add_argument(
        "--top-p", type=float, default=1.0, metavar="P", help="choose among the likeliest that hold P of 1"
    )
    command.add_argument(
        "--repetition-penalty", type=float, default=1.0, metavar="R", help="above 1 avoids what was said"
    )
    command.add_argument("--seed", type=seed, metavar="S", help="the same seed writes the same text")
    weights_option(command)


def weights_option(command: argparse.ArgumentParser) -> None:
    about = (
        "how matrices are kept: fewer bits make another model, faster (its loss: wetware evaluate RUN --weights int8)"
    )
    command.add_argument("--weights", choices=("float32", "bfloat16", "int8"), default="float32", help=about)


def stress_option(command: argparse.ArgumentParser) -> None:
    about = (
        "of a model with an environment: neutral, frozen (the last of its training), surprise (how badly it foretold the "
        "text so far), or a number from 0 to 1 (default: as it was trained to)"
    )
    command.add_argument("--stress", metavar="STRESS", help=about)
