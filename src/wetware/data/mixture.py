"""Mixture: one or several corpora that are packed while they are read, each with its share of the tokens."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from itertools import islice
from typing import ClassVar

from wetware.config import Config, ConfigError, number
from wetware.data.corpora import Corpus, Marked, Split, check_split
from wetware.data.files import digest
from wetware.data.mixing import furthest_below


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part(Config):
    """A corpus in a mixture: ``name`` in small letters, digits and underscores; ``share`` of the tokens, to the others'."""

    label: ClassVar[str | None] = "name"

    name: str
    corpus: Corpus
    share: float = number(1.0, 0.0, open_ends=True)

    def check(self) -> None:
        if not re.fullmatch(r"[a-z0-9_]+", self.name):
            raise ConfigError(f"Part.name = {self.name!r}: allowed are small letters, digits and underscores")
        if isinstance(self.corpus, Mixture):
            raise ConfigError(f"Part.corpus of {self.name!r} is a mixture itself: put its parts beside the others")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mixture(Corpus):
    """Text without an end, of ``parts`` by their shares of the TOKENS; a part that has been read to its end begins again.

    It is packed in blocks of about ``block`` tokens while training goes on, not before it. A block is also what a shuffle
    buffer is elsewhere: its documents (some ten thousand of 16 million tokens) are read in an order drawn from the run's
    seed. ``keep`` bounds the disk: so many blocks, the first one besides, are kept (None: all; what is missing is made again
    when it is needed). Of the documents that the parts hold out, the first ``held_out_documents`` are the validation split;
    no held-out document is ever trained on. The order of ``parts`` has no meaning.
    """

    parts: tuple[Part, ...]
    block: int = number(2**24, 1)
    held_out_documents: int = number(256, 1)
    keep: int | None = number(None, 1)

    def check(self) -> None:
        if not self.parts:
            raise ConfigError("Mixture.parts is empty: expected one part or more")

    @property
    def ordered(self) -> tuple[Part, ...]:
        """The parts, the same whichever way they were written down."""
        return tuple(sorted(self.parts, key=lambda part: part.name))

    @property
    def shares(self) -> tuple[float, ...]:
        """Of the ordered parts; they add up to 1."""
        total = sum(part.share for part in self.ordered)
        return tuple(part.share / total for part in self.ordered)

    @property
    def specials(self) -> tuple[str, ...]:
        """Those of all parts."""
        return tuple(sorted({name for part in self.parts for name in part.corpus.specials}))

    def documents(self, split: Split) -> Iterator[str]:
        """One pass, mixed by bytes, which takes no tokenizer; it ends with the part that ends first."""
        return (document.text for document in self.marked(split))

    def marked(self, split: Split) -> Iterator[Marked]:
        if check_split(split) == "validation":
            return islice(self._by_bytes(split), self.held_out_documents)
        return self._by_bytes(split)

    def _by_bytes(self, split: Split) -> Iterator[Marked]:
        documents, shares = [part.corpus.marked(split) for part in self.ordered], self.shares
        emitted = [0] * len(documents)
        while True:
            index = furthest_below(emitted, shares)
            document = next(documents[index], None)
            if document is None:
                return
            emitted[index] += len(document.text.encode())
            yield document

    def fingerprint(self) -> str:
        parts = [
            [part.name, share, part.corpus.fingerprint()] for part, share in zip(self.ordered, self.shares, strict=True)
        ]
        return digest([parts, self.held_out_documents])
