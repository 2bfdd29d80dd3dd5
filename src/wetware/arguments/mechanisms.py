"""Arguments of ``wetware mechanisms``."""

from __future__ import annotations

from typing import Any

from wetware.arguments.common import new_command


def add(commands: Any) -> None:
    command = new_command(commands, "mechanisms", "List every part of a recipe's model that can be taken out, and how.")
    command.add_argument("recipe", metavar="RECIPE", help="its name (see: wetware recipes)")
