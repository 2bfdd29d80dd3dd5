"""Arguments of ``wetware tag``."""

from __future__ import annotations

from typing import Any

from wetware.arguments.common import device_options, new_command, positive, positive_number, seed, set_option


def add(commands: Any) -> None:
    more = """\
examples:
  wetware tag train --minutes 8                            on made-up texts (needs the extra 'tag'), into runs/tag_spiking
  wetware tag evaluate runs/tag_spiking                    on templates and values that training never saw
  wetware tag "Call Ann Lee on 030 555 1234"               what is private in it, by runs/tag_spiking
  wetware tag letter.txt --redact --out public.txt
  wetware tag letter.txt --json --with rules               by regular expressions and check digits, no training
  tail -f app.log | wetware tag - --redact --with runs/tag_delayed
  wetware tag train tag_gru --data pii.jsonl --out runs/gru

Private data: names, e-mails, phone numbers, addresses, national ids, card and account numbers, dates of birth, IPs, URLs, user
names, passwords. It misses some: what it redacts is to be read again by somebody before it is public. What begins with none
of the actions is a text or a file to search: tag TEXT is short for tag find TEXT.
"""
    command = new_command(commands, "tag", "Find private data in text, and redact it.", more)
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    _train(actions)
    _find(actions)
    _evaluate(actions)


ACTIONS = ("train", "find", "evaluate")


TAGGED = (
    "templates (made up, the default), a .jsonl file with masks, a column file (.conll, .tsv, ...), or a folder of them"
)


def _train(actions: Any) -> None:
    command = new_command(actions, "train", "Train a tagger on marked texts.")
    command.add_argument(
        "recipe",
        metavar="RECIPE",
        nargs="?",
        default="tag_spiking",
        help="tag_spiking (default), tag_delayed or tag_gru",
    )
    command.add_argument("--data", metavar="TEXTS", help=TAGGED)
    command.add_argument("--out", metavar="DIR", help="the run's folder (default: runs/RECIPE)")
    set_option(command)
    bound = command.add_mutually_exclusive_group()
    bound.add_argument("--steps", type=positive, metavar="N", help="how long: optimizer steps")
    bound.add_argument("--minutes", type=positive_number, metavar="M", help="how long: minutes of training")
    bound.add_argument("--tokens", type=positive, metavar="N", help="how long: characters read")
    command.add_argument(
        "--seed", type=seed, metavar="S", help="of the weights and the order of the texts (default: 0)"
    )
    command.add_argument("--resume", action="store_true", help="go on from the last checkpoint of --out")
    device_options(command)


def _find(actions: Any) -> None:
    command = new_command(actions, "find", "Find the private data of a text or a file: start, end, kind, value.")
    command.add_argument("text", metavar="TEXT|FILE", help="a file, a text, or - for standard input")
    command.add_argument(
        "--with",
        metavar="RUN",
        dest="run",
        help="a tagger's run, a checkpoint in it, or: rules (default: runs/tag_spiking)",
    )
    command.add_argument("--redact", action="store_true", help="write the text with [KIND] in the place of each entity")
    command.add_argument("--json", action="store_true", help="a line of JSON for each entity; places count characters")
    command.add_argument("--out", metavar="FILE", help="where to write (default: standard output)")
    device_options(command)


def _evaluate(actions: Any) -> None:
    command = new_command(actions, "evaluate", "Measure a tagger on marked texts that training never saw.")
    command.add_argument("run", metavar="RUN", help="a tagger's run, a checkpoint in it, or: rules")
    command.add_argument("--data", metavar="TEXTS", help=f"{TAGGED} (default: those of the run)")
    command.add_argument("--limit", type=positive, metavar="N", help="at most so many texts (default: all)")
    command.add_argument("--json", action="store_true", help="print JSON")
    device_options(command)
