"""Arguments of ``wetware evaluate``."""

from __future__ import annotations

from typing import Any

from wetware.arguments.common import data_option, device_options, new_command, positive
from wetware.arguments.writing import stress_option, weights_option


def add(commands: Any) -> None:
    more = """\
examples:
  wetware evaluate runs/sam                                  the quick suite: about a minute for a small model
  wetware evaluate runs/sam --suite full                     everything that can be asked
  wetware evaluate runs/sam --tasks bits_per_byte,energy     these alone, in full
  wetware evaluate runs/sam --tasks bits_per_byte --json     pure JSON: measures.bits_per_byte.carried.bits_per_byte
  wetware evaluate runs/sam --eval-bundle-zip bundle.zip --max-items 100       CORE, a hundred items of each task
  wetware evaluate runs/sam --tasks my_task --lm-eval-dir tasks/               a task of lm-eval, without a network

Bits per byte is the figure to compare: it does not depend on the tokenizer. It is given with state carried through each
held-out document, and with a fresh state every few tokens; beside them, n-gram models trained on the same text.
Names in --tasks that are no measures of wetware are asked of lm-eval (the extra 'eval'). A measure that cannot be asked
of the model is listed with its reason. report.md, results.json and pictures go to --out.
"""
    command = new_command(commands, "evaluate", "Measure a run.", more)
    command.add_argument("run", metavar="RUN", help="a run's folder, or a checkpoint in it")
    command.add_argument("--suite", choices=("quick", "full"), help="what is asked (default: quick)")
    command.add_argument("--tasks", metavar="A,B", help="ask these measures instead of a suite")
    command.add_argument("--out", metavar="DIR", help="where the report goes (default: RUN/evaluation)")
    data_option(command, "another text to measure on (its held-out part)")
    command.add_argument("--limit", type=positive, metavar="N", help="at most so many held-out tokens (default: all)")
    bundle = command.add_mutually_exclusive_group()
    bundle.add_argument("--eval-bundle-zip", metavar="FILE", help="ask the CORE tasks of this bundle too")
    bundle.add_argument("--eval-bundle-dir", metavar="DIR", help="the same, unpacked")
    command.add_argument("--pairs", metavar="FILE", help="ask these minimal pairs (.jsonl) too")
    command.add_argument("--lm-eval-dir", metavar="DIR", help="tasks of lm-eval (YAML) of your own")
    command.add_argument("--max-items", type=positive, metavar="N", help="of each task of CORE, pairs and lm-eval")
    command.add_argument("--json", action="store_true", help="print JSON")
    weights_option(command)
    stress_option(command)
    device_options(command)
