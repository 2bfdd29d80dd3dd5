"""The command line. What a command takes stands in ``wetware/arguments/``, what it does in ``wetware/commands/``; the latter is
imported when the command is known, so that ``--help`` answers at once."""

from __future__ import annotations

import argparse
import importlib
import io
import keyword
import os
import sys
from collections.abc import Sequence

from wetware import __version__
from wetware.arguments import (
    cell,
    chat,
    convert,
    curriculum,
    demo,
    doctor,
    evaluate,
    generate,
    import_,
    inspect,
    mechanisms,
    recipes,
    study,
    tag,
    tokenizer,
    train,
)
from wetware.arguments.common import Formatter, Parser

EPILOG = """\
a first hour:
  wetware recipes                                       what can be trained
  wetware train real_sam_small --minutes 5 --out runs/sam
  wetware generate runs/sam --prompt "My fellow citizens"
  wetware evaluate runs/sam
  wetware train real_sam_small --out runs/sam --resume --minutes 10
  wetware mechanisms real_sam_small                     what can be taken out of it
  wetware train real_sam_small --set model.block.recurrence=none --minutes 5 --out runs/without
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = Parser(
        prog="wetware",
        description="Language models built the way brains are built: train, ablate, evaluate and talk to them.",
        epilog=EPILOG,
        formatter_class=Formatter,
    )
    top.add_argument("--version", action="version", version=f"wetware {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in (
        train,
        generate,
        chat,
        evaluate,
        inspect,
        study,
        curriculum,
        tokenizer,
        recipes,
        mechanisms,
        cell,
        tag,
        import_,
        convert,
        doctor,
        demo,
    ):
        command.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code: 0 done, 2 bad input (one line says what), 130 and 143 stopped by a signal."""
    _steady_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(_spelled_out(words))
    arguments.words = words
    try:
        # a command that is a word of Python (import) has a file of that name and an underscore
        module = arguments.command + "_" * keyword.iskeyword(arguments.command)
        return importlib.import_module(f"wetware.commands.{module}").run(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output went away: that is its right
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if not _expected(error):
            raise
        line = " ".join(str(error).split()) or type(error).__name__
        print(f"wetware {arguments.command}: {line}", file=sys.stderr)
        return 2


def _spelled_out(words: list[str]) -> list[str]:
    """``tag TEXT`` as ``tag find TEXT``."""
    implied = words[:1] == ["tag"] and len(words) > 1 and words[1] not in (*tag.ACTIONS, "-h", "--help")
    return ["tag", "find", *words[1:]] if implied else words


def _steady_streams() -> None:
    """Streams that were closed by the caller become empty ones; characters that a terminal cannot show become marks."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _expected(error: Exception) -> bool:
    """Whether an error is about what the user gave. Each of these says all there is to say in one line."""
    from wetware import CheckpointError, ConfigError, DataError
    from wetware.training import Diverged

    if isinstance(error, RuntimeError) and not isinstance(error, Diverged):
        return any(
            words in str(error) for words in ("allocate memory", "enough memory", "out of memory", "Storage size")
        )
    return isinstance(error, (CheckpointError, ConfigError, DataError, Diverged, OSError, MemoryError))
