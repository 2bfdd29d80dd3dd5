"""Forms: how the rows of a file or data set hold conversations, by the names of their fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import Any, ClassVar

from wetware.config import Config, kinds, nearest
from wetware.data.conversations import Conversation, Role, Turn
from wetware.data.files import DataError
from wetware.data.readers import checked_text, column_of

# What those who speak are called. What a system says stands before what the user says next.
ROLES: dict[str, Role] = {
    "user": "user",
    "human": "user",
    "prompter": "user",
    "system": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
}
Rows = Iterable[tuple[str, dict[str, Any]]]  # where a row stands, for errors, and the row


@dataclasses.dataclass(frozen=True, kw_only=True)
class Form(Config):
    """A slot for how rows hold conversations."""

    abstract: ClassVar[bool] = True
    # Rows that are read beyond a conversation before it is known to have ended.
    ahead: ClassVar[int] = 0

    @classmethod
    def fits(cls, columns: Collection[str]) -> bool:
        """Whether rows with these fields have this form."""
        raise NotImplementedError

    def conversations(self, rows: Rows) -> Iterator[Conversation]:
        """The conversations in which an assistant says something. Raises :class:`DataError` for what is not of this form."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Listed(Form):
    """A list of turns in one field."""

    abstract: ClassVar[bool] = True
    column: ClassVar[str]
    role: ClassVar[str]
    content: ClassVar[str]

    @classmethod
    def fits(cls, columns: Collection[str]) -> bool:
        return cls.column in columns

    def conversations(self, rows: Rows) -> Iterator[Conversation]:
        for where, row in rows:
            turns = column_of(row, self.column, where)
            if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
                raise DataError(f"{where}, {self.column}: expected a list of turns, got {str(turns)[:60]!r}")
            yield from _spoken([self._turn(turn, f"{where}, {self.column}") for turn in turns])

    def _turn(self, turn: dict[str, Any], where: str) -> Turn:
        return Turn(
            _role(column_of(turn, self.role, where), where), checked_text(column_of(turn, self.content, where), where)
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Messages(_Listed):
    """``{"messages": [{"role": "user", "content": "..."}, ...]}``, as chat services and most data sets of today have it."""

    column: ClassVar[str] = "messages"
    role: ClassVar[str] = "role"
    content: ClassVar[str] = "content"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShareGPT(_Listed):
    """``{"conversations": [{"from": "human", "value": "..."}, {"from": "gpt", "value": "..."}]}``."""

    column: ClassVar[str] = "conversations"
    role: ClassVar[str] = "from"
    content: ClassVar[str] = "value"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Instructions(Form):
    """One question and its answer: ``instruction``, what it is about in ``input`` or ``context`` (may be missing or empty), and
    ``output`` or ``response``. Alpaca and Dolly."""

    @classmethod
    def fits(cls, columns: Collection[str]) -> bool:
        return "instruction" in columns and bool({"output", "response"} & set(columns))

    def conversations(self, rows: Rows) -> Iterator[Conversation]:
        for where, row in rows:
            about = row.get("input", row.get("context")) or ""
            answer = row["response"] if "output" not in row and "response" in row else column_of(row, "output", where)
            parts = [checked_text(part, where) for part in (column_of(row, "instruction", where), about)]
            question = "\n\n".join(part.strip() for part in parts if part.strip())
            yield from _spoken([Turn("user", question), Turn("assistant", checked_text(answer, where))])


@dataclasses.dataclass(frozen=True, kw_only=True)
class MessageTrees(Form):
    """A message a row, each the reply to ``parent_id`` (none: the first), those of one ``message_tree_id`` together, as
    OpenAssistant has it.

    Of every tree the best path is taken: the reply of the lowest ``rank`` at each fork (without ranks: the first), to the
    last that an assistant gave. Deleted messages are left out.
    """

    ahead: ClassVar[int] = 1

    @classmethod
    def fits(cls, columns: Collection[str]) -> bool:
        return {"message_id", "parent_id", "message_tree_id", "text", "role"} <= set(columns)

    def conversations(self, rows: Rows) -> Iterator[Conversation]:
        for _, tree in groupby(rows, key=lambda item: column_of(item[1], "message_tree_id", item[0])):
            replies: dict[Any, list[tuple[str, dict[str, Any]]]] = {}
            for where, row in tree:
                if not row.get("deleted"):
                    replies.setdefault(column_of(row, "parent_id", where), []).append((where, row))
            turns, parent = [], None
            while parent in replies:
                where, row = min(replies.pop(parent), key=lambda reply: _rank(reply[1]))
                turns.append(Turn(_role(column_of(row, "role", where), where), checked_text(row.get("text"), where)))
                parent = column_of(row, "message_id", where)
            yield from _spoken(turns)


def form_of(columns: Collection[str]) -> Form | None:
    """The form of rows with these fields; None for plain text."""
    forms: dict[str, Any] = {**kinds(Form)}
    return next((form() for form in forms.values() if form.fits(columns)), None)


def _rank(row: dict[str, Any]) -> float:
    return float("inf") if row.get("rank") is None else float(row["rank"])


def _role(value: Any, where: str) -> Role:
    if value not in ROLES:
        raise DataError(f"{where}: nobody is called {value!r}{nearest(str(value), ROLES)}")
    return ROLES[value]


def _spoken(turns: list[Turn]) -> Iterator[Conversation]:
    """The conversation of these turns: what one says twice in a row is one turn, it begins with the user and ends with the
    assistant. None when nothing is left."""
    joined: list[Turn] = []
    for role, alike in groupby(turns, key=lambda turn: turn.role):
        text = "\n\n".join(turn.text.strip() for turn in alike if turn.text.strip())
        if text and (joined or role == "user"):
            joined.append(Turn(role, text))
    if joined and joined[-1].role == "user":
        joined.pop()
    if joined:
        yield Conversation(tuple(joined))
