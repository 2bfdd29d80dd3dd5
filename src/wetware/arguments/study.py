"""Arguments of ``wetware study``."""

from __future__ import annotations

import argparse
from typing import Any

from wetware.arguments.common import (
    data_option,
    device_options,
    new_command,
    positive,
    positive_number,
    set_option,
    threads,
)


def add(commands: Any) -> None:
    more = """\
examples:
  wetware study real_sam_mini --leave-out block.recurrence       what the recurrent weights are worth
  wetware study real_sam_mini --add all --seeds 10               each mechanism alone in the bare skeleton
  wetware study real_sam_mini --control model.encoder=CurrentEncoder --leave-out none
  wetware study real_sam_mechanisms --plan                       show the plan and its price, train nothing
  wetware study real_sam_mechanisms --resume                     go on after Ctrl-C or a crash
  wetware study real_sam_mechanisms --store postgresql+psycopg://host/name
  wetware study work postgresql+psycopg://host/name              one more worker, on any machine that reaches it
  wetware study report runs/studies/real_sam_mechanisms          write the report of what is there

Each arm is trained with every seed, on the same text in the same order, from the same first weights, to the same number of
tokens, at matched parameters. The plan is written down before the first cell. Unless told otherwise, each mechanism is left
out in turn.
"""
    command = new_command(
        commands, "study", "Measure what each mechanism is worth: many small runs, compared by seed.", more
    )
    command.add_argument("recipe", metavar="RECIPE", help="a recipe, a study (see: wetware recipes), or: work, report")
    command.add_argument(
        "url", metavar="URL", nargs="?", help="of the database, after work or report (default: $WETWARE_STORE)"
    )
    paths = "PATH,..."
    command.add_argument("--leave-out", metavar=paths, help="mechanisms to take out, one an arm: paths, all, none")
    command.add_argument("--add", metavar=paths, help="mechanisms to put alone into the bare skeleton: paths, all")
    command.add_argument(
        "--control", action="append", default=[], metavar="PATH=VALUE,...", help="an arm with these fields changed"
    )
    set_option(command)
    data_option(command, "the text to learn")
    command.add_argument("--seeds", type=positive, metavar="N", help="runs of each arm (default: 6)")
    command.add_argument("--tokens", type=positive, metavar="N", help="read by each run (default: 1,000,000)")
    command.add_argument(
        "--margin", type=positive_number, metavar="B", help="bits per byte nobody would miss (default: 0.01)"
    )
    command.add_argument("--held-out", type=positive, metavar="N", help="tokens of the final score (default: all)")
    command.add_argument("--no-match", action="store_true", help="leave widths alone, let parameters differ")
    command.add_argument("--no-plain", action="store_true", help="without the plain transformer beside it")
    command.add_argument("--workers", type=threads, metavar="W", help="processes side by side (default: one a core)")
    device_options(command, "of each worker (default: cores / workers)")
    command.add_argument("--store", metavar="URL", help="a database (default: sqlite in the study's folder)")
    command.add_argument("--name", metavar="NAME", help="of the study (default: RECIPE)")
    command.add_argument("--out", metavar="DIR", help="the study's folder (default: runs/studies/NAME)")
    command.add_argument("--plan", action="store_true", help="show the plan and what it would cost, and stop")
    command.add_argument("--resume", action="store_true", help="go on with a study that was begun")
    command.add_argument("--retry-failed", action="store_true", help="with --resume: try failed cells again")
    command.add_argument("--parent", type=positive, help=argparse.SUPPRESS)
