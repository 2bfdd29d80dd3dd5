"""Arguments of ``wetware train``."""

from __future__ import annotations

from typing import Any

from wetware.arguments.common import (
    data_option,
    device_options,
    new_command,
    positive,
    positive_number,
    seed,
    set_option,
)


def add(commands: Any) -> None:
    more = """\
examples:
  wetware train real_sam_small --minutes 5
  wetware train gpt_small --data my_texts/ --tokens 2000000 --out runs/mine
  wetware train gpt --data fineweb_finemath --tokens 200000000         streamed: 75 % FineWeb-Edu, 25 % FineMath
  wetware train gpt --data "0.9*hf:OWNER/NAME+0.1*my_texts/" --set corpus.block=4000000
  wetware train real_sam_small --set model.depth=2 --set training.optimizer.matrix=0.004
  wetware train gpt_small --tokenizer LengthMax --set tokenizer.vocab_size=8192
  wetware train real_sam_small --set model.encoder=CurrentEncoder     another part in the same slot
  wetware train real_sam_small --set model.modulators.environment=none   a mechanism taken away
  wetware train real_sam_small --out runs/sam --resume --minutes 30   go on with runs/sam
  wetware train gpt_small --init-from runs/gpt --data my_texts/       another text, from the weights of runs/gpt

Ctrl-C stops with a checkpoint; --resume goes on as if nothing had happened. With --minutes the learning rate follows
the clock; with --steps or --tokens the same seed gives the same run. --init-from takes model, weights and tokenizer of a
checkpoint, and how to learn from the recipe; --set may change of the model what its weights still fit.
"""
    command = new_command(commands, "train", "Train a recipe: a model on a text.", more)
    command.add_argument("recipe", metavar="RECIPE", help="its name (see: wetware recipes)")
    command.add_argument("--out", metavar="DIR", help="the run's folder (default: runs/RECIPE)")
    set_option(command)
    data_option(command, "the text to learn")
    command.add_argument(
        "--tokenizer", metavar="TOKENIZER", help="a kind (LengthMax, BPE, ...), or the folder of a trained one"
    )
    limit = command.add_mutually_exclusive_group()
    limit.add_argument("--steps", type=positive, metavar="N", help="how long: optimizer steps")
    limit.add_argument("--minutes", type=positive_number, metavar="M", help="how long: minutes of training")
    limit.add_argument("--tokens", type=positive, metavar="N", help="how long: tokens read")
    command.add_argument(
        "--seed", type=seed, metavar="S", help="of the weights and of the order of the text (default: 0)"
    )
    command.add_argument("--init-from", metavar="RUN", help="start from the weights of a run or a checkpoint")
    command.add_argument("--resume", action="store_true", help="go on from the last checkpoint of --out")
    command.add_argument(
        "--dtype", choices=("auto", "float32", "bfloat16"), default="auto", help="of the matrix products"
    )
    device_options(command)
