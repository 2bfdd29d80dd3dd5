"""Arguments of ``wetware curriculum``."""

from __future__ import annotations

from typing import Any

from wetware.arguments.common import new_command


def add(commands: Any) -> None:
    more = """\
examples:
  wetware train real_sam_curriculum --tokens 500000 --seed 0 --out runs/seed0
  wetware curriculum runs/seed0                       how it stood at the end of each phase
  wetware curriculum runs/seed0 runs/seed1 runs/seed2     the mean of three seeds
  wetware inspect runs/seed0                          draws the same, phases.png

Runs that differ in their seed alone make one table, others one each. The loss and perplexity of a phase are those of its own
held-out text, and a longer one is easier to foretell; the whole text is the same for every phase, with carried state.
"""
    command = new_command(
        commands, "curriculum", "Show how runs stood at the end of each phase of their curriculum.", more
    )
    command.add_argument("runs", metavar="RUN", nargs="+", help="a run's folder")
    command.add_argument("--json", action="store_true", help="print JSON")
