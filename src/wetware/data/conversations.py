"""Conversations: turns of a user and an assistant, and the template that makes a document of them::

    <|user|>Good morning.<|assistant|>Good morning!<|end|><|user|>What is 2 plus 3?<|assistant|>2 plus 3 is 5.<|end|>

The three names are special tokens. A user's turn ends where the assistant's begins, an assistant's with ``<|end|>``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

USER, ASSISTANT, END = "<|user|>", "<|assistant|>", "<|end|>"
SPECIALS = (USER, ASSISTANT, END)

Role = Literal["user", "assistant"]


class Turn(NamedTuple):
    """What one of the two says."""

    role: Role
    text: str


class Conversation(NamedTuple):
    """Turns, one after the other."""

    turns: tuple[Turn, ...]

    @property
    def template(self) -> str:
        """The document that training reads."""
        return "".join(said(turn) for turn in self.turns)


def said(turn: Turn) -> str:
    """A turn in the template."""
    return f"{USER}{plain(turn.text)}" if turn.role == "user" else f"{ASSISTANT}{plain(turn.text)}{END}"


def asked(text: str) -> str:
    """A user's turn in the template, and the beginning of the answer to it."""
    return f"{said(Turn('user', text))}{ASSISTANT}"


def plain(text: str) -> str:
    """``text`` without white space around it; a name of the template inside it gets a space, so that nobody speaks for another:
    ``<|end|>`` is written ``<| end|>``."""
    for name in SPECIALS:
        text = text.replace(name, f"{name[:2]} {name[2:]}")
    return text.strip()


def speaks(specials: Iterable[str]) -> bool:
    """Whether someone with these special tokens knows the template."""
    return set(SPECIALS) <= set(specials)
