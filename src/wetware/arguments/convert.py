"""Arguments of ``wetware convert``."""

from __future__ import annotations

from typing import Any

from wetware.arguments.common import new_command, seed, set_option


def add(commands: Any) -> None:
    more = """\
examples:
  wetware convert runs/gpt --to bio_nanochat
  wetware convert runs/gpt --to bio_nanochat --set model.memory=none --out runs/bio
  wetware train gpt_small --init-from runs/gpt-bio_nanochat --out runs/bio       then learn with what it gained

A GPT becomes a larger kind of model that says the same: all its weights, and new parts that change no logit yet, drawn from
--seed. That is checked on text before anything is saved; a part that does change logits is refused by its name.
"""
    command = new_command(commands, "convert", "Make another kind of model of a trained one, same logits.", more)
    command.add_argument("run", metavar="RUN", help="a run's folder, or a checkpoint in it")
    command.add_argument("--to", metavar="MODEL", required=True, help="the kind of model: bio_nanochat")
    set_option(command)
    command.add_argument("--seed", type=seed, default=0, metavar="S", help="of the new parts (default: 0)")
    command.add_argument("--out", metavar="DIR", help="the checkpoint's folder (default: RUN-MODEL)")
