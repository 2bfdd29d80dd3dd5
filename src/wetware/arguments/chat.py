"""Arguments of ``wetware chat``."""

from __future__ import annotations

from typing import Any

from wetware.arguments.common import device_options, new_command
from wetware.arguments.writing import sampling_options, stress_option


def add(commands: Any) -> None:
    more = """\
While chatting: /again, /undo, /reset forgets, /save FILE keeps the conversation, /seed N, /help, /quit.
A model trained on conversations (wetware train real_sam_chat) is spoken to in its template and ends its turns itself; any other
goes on with the text.
"""
    command = new_command(commands, "chat", "Talk to a trained model; it remembers through its state alone.", more)
    command.add_argument("run", metavar="RUN", help="a run's folder, or a checkpoint in it")
    command.add_argument("--load", metavar="FILE", help="go on with a conversation that was saved")
    command.add_argument("--script", metavar="FILE", help="say its lines, one a turn, instead of what is typed")
    sampling_options(command, 80)
    stress_option(command)
    device_options(command)
