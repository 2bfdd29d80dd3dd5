"""Arguments of ``wetware generate``."""

from __future__ import annotations

from typing import Any

from wetware.arguments.common import device_options, new_command
from wetware.arguments.writing import sampling_options, stress_option


def add(commands: Any) -> None:
    more = 'example:\n  wetware generate runs/sam --prompt "The state of the Union" --tokens 200 --temperature 0.7 --top-k 40\n'
    command = new_command(commands, "generate", "Write on from a prompt, as it comes.", more)
    command.add_argument("run", metavar="RUN", help="a run's folder, or a checkpoint in it")
    command.add_argument(
        "--prompt", default="", metavar="TEXT", help="what comes before (default: the start of a document)"
    )
    sampling_options(command, 200)
    stress_option(command)
    about = "where no compiled engine runs: guess ahead, for the same text in fewer passes (trait MultiTokenPrediction)"
    command.add_argument("--draft", action="store_true", help=about)
    device_options(command)
