"""Arguments of ``wetware tokenizer``."""

from __future__ import annotations

from typing import Any

from wetware.arguments.common import data_option, new_command, positive, set_option


def add(commands: Any) -> None:
    more = """\
examples:
  wetware tokenizer train LengthMax --vocab 4096 --out runs/tokenizers/mine
  wetware tokenizer train BPE --vocab 4096 --data my_texts/ --out runs/tokenizers/bpe
  wetware tokenizer train LengthMax --set max_piece=16 --set "specials=<|user|>,<|assistant|>,<|end|>"
  wetware tokenizer compare runs/tokenizers/mine runs/tokenizers/bpe Bytes
  wetware tokenizer compare LengthMax BPE --vocab 4096        made of the text's training part
  wetware train gpt_small --tokenizer runs/tokenizers/mine    a model that reads by it

A tokenizer is trained on the training part of the text and measured on the held-out part. It is a kind (BPE, LengthMax,
Bytes, Characters), the folder of a saved one or of a checkpoint, or a tokenizer.json in the form of SpikeWhale's.
"""
    command = new_command(commands, "tokenizer", "Train a tokenizer, or compare several.", more)
    actions = command.add_subparsers(dest="action", metavar="train|compare", required=True)
    train = new_command(actions, "train", "Make a tokenizer of a text.")
    train.add_argument("kind", metavar="KIND", help="LengthMax, BPE, Characters or Bytes")
    train.add_argument("--out", metavar="DIR", help="where it goes (default: runs/tokenizers/KIND)")
    set_option(train)
    compare = new_command(actions, "compare", "Measure tokenizers on the held-out part of a text.")
    compare.add_argument("tokenizers", metavar="TOKENIZER", nargs="+", help="kinds, or folders of saved ones")
    compare.add_argument("--json", action="store_true", help="print JSON")
    for action in (train, compare):
        action.add_argument("--vocab", type=positive, metavar="N", help="tokens, of a kind that has a choice")
        data_option(action, "the text (default: sotu)")
