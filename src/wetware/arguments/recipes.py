"""Arguments of ``wetware recipes``."""

from __future__ import annotations

from typing import Any

from wetware.arguments.common import new_command


def add(commands: Any) -> None:
    new_command(commands, "recipes", "List what can be trained and studied.")
