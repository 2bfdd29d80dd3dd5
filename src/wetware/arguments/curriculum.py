"""Arguments of ``wetware curriculum``."""

from __future__ import annotations

from typing import Any

from wetware.arguments.common import data_option, device_options, new_command, positive, set_option


def add(commands: Any) -> None:
    more = """\
examples:
  wetware curriculum real_sam_curriculum --seeds 3 --tokens 500000     trains three, then shows their mean
  wetware train real_sam_curriculum --tokens 500000 --seed 0 --out runs/seed0
  wetware curriculum runs/seed0                       how it stood at the end of each phase
  wetware curriculum runs/seed0 runs/seed1 runs/seed2     the mean of three seeds
  wetware inspect runs/seed0                          draws the same, phases.png

Runs that differ in their seed alone make one table, others one each. The loss and perplexity of a phase are those of its own
held-out text, and a longer one is easier to foretell; the whole text is the same for every phase, with carried state. Of a
recipe, seeds are trained one after the other into folders of --out; what is there already is gone on with, or only shown.
"""
    about = "Show how runs stood at the end of each phase of their curriculum."
    command = new_command(commands, "curriculum", about, more)
    command.add_argument("runs", metavar="RUN", nargs="+", help="a run's folder, or a recipe to train with --seeds")
    command.add_argument("--seeds", type=positive, metavar="N", help="of a recipe: train seeds 0 to N - 1")
    command.add_argument("--tokens", type=positive, metavar="N", help="of a recipe: how long each is trained")
    command.add_argument("--out", metavar="DIR", help="of a recipe: folder of the runs (default: runs/RECIPE)")
    set_option(command)
    data_option(command, "of a recipe, the text to learn")
    device_options(command)
    command.add_argument("--json", action="store_true", help="print JSON")
