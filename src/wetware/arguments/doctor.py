"""Arguments of ``wetware doctor``."""

from __future__ import annotations

from typing import Any

from wetware.arguments.common import new_command


def add(commands: Any) -> None:
    new_command(commands, "doctor", "Show versions, devices, and which backend computes what, and why.")
