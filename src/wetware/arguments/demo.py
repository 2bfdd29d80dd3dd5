"""Arguments of ``wetware demo``."""

from __future__ import annotations

from typing import Any

from wetware.arguments.common import new_command, positive_number, threads


def add(commands: Any) -> None:
    about = "Train a small Real Sam and a GPT of the same size on real text, side by side, and compare them."
    command = new_command(commands, "demo", about)
    command.add_argument(
        "--minutes", type=positive_number, default=4.0, metavar="M", help="for each model (default: 4)"
    )
    command.add_argument("--out", default="runs/demo", metavar="DIR", help="where the two runs go (default: runs/demo)")
    command.add_argument("--threads", type=threads, metavar="N", help="processor threads")
