"""Cutting: the same text in pieces, from a few words to whole documents, for phases that begin with short ones.

Every piece is what stands in the text, white space before it included, so that a tokenizer cuts it as it cuts the text. Joined
again, the pieces of a document are the document.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from wetware.config import Config, number
from wetware.data.corpora import Corpus, Marked, Reader, Split
from wetware.data.files import digest
from wetware.data.mixture import Mixture
from wetware.data.template_conversations import TemplateConversations

FORMAT = 1  # raised when the same fields come to give other pieces

_LETTER = re.compile(r"[^\W_]")
_WORD = re.compile(r"\S+")
_MARKS = (",", ";", ":", ".", "!", "?")
_CLOSING = "\"'”’)]"
_CLAUSE = re.compile(rf"[,;:.!?][{re.escape(_CLOSING)}]*(?=\s)")
# A full stop after one capital or one of these titles ends no sentence.
_TITLES = "".join(rf"(?<!\b{title}\.)" for title in ("[A-Z]", "Mr", "Ms", "Mrs", "Dr", "St", "No", "Gen", "Col"))
_SENTENCE = re.compile(rf"[.!?]{_TITLES}[{re.escape(_CLOSING)}]*(?=\s+[\"'“‘(\[]*[A-Z0-9])")
_BLANK_LINE = re.compile(r"\n\s*\n")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhaseText(Config):
    """A slot for what a phase of a curriculum reads, made of any corpus."""

    abstract: ClassVar[bool] = True

    def of(self, corpus: Corpus) -> Corpus:
        """The text of the phase. What ``corpus`` holds out is made of what it holds out, and of nothing else."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, kw_only=True)
class WholeText(PhaseText):
    """The documents as they are."""

    def of(self, corpus: Corpus) -> Corpus:
        return corpus


@dataclasses.dataclass(frozen=True, kw_only=True)
class Conversations(PhaseText):
    """Conversations about the text, made of templates; a corpus that is conversations itself stays as it is."""

    count: int = number(20_000, 1, 10_000_000)
    seed: int = number(0, 0)

    def of(self, corpus: Corpus) -> Corpus:
        return corpus if corpus.specials else TemplateConversations(about=corpus, count=self.count, seed=self.seed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cutting(PhaseText):
    """A slot for a way to cut documents into pieces, each of which becomes a document."""

    abstract: ClassVar[bool] = True

    def of(self, corpus: Corpus) -> Corpus:
        """Of a mixture, every part is cut: it is packed while it is read, as it was."""
        if isinstance(corpus, Mixture):
            parts = tuple(dataclasses.replace(part, corpus=self.of(part.corpus)) for part in corpus.parts)
            return dataclasses.replace(corpus, parts=parts)
        return Cut(corpus=corpus, cutting=self)

    def pieces(self, text: str) -> Iterator[str]:
        """The pieces of a document, in order; none is without a letter or digit, unless the document is."""
        return _between(text, self.ends(text))

    def ends(self, text: str) -> Iterator[int]:
        """Where pieces end, in order."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Words(Cutting):
    """At most ``most`` words, fewer before a mark of punctuation."""

    most: int = number(3, 1)

    def ends(self, text: str) -> Iterator[int]:
        count = 0
        for match in _WORD.finditer(text):
            count += 1
            if count == self.most or match.group().rstrip(_CLOSING).endswith(_MARKS):
                yield match.end()
                count = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clauses(Cutting):
    """What stands between two marks of punctuation, at most ``most`` words of it."""

    most: int = number(12, 1)

    def ends(self, text: str) -> Iterator[int]:
        start = 0
        for end in _ends(_CLAUSE, text):
            words = [match.end() for match in _WORD.finditer(text, start, end)]
            yield from words[self.most - 1 : -1 : self.most]
            yield end
            start = end


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sentences(Cutting):
    """Sentences, ``together`` of them in a piece."""

    together: int = number(1, 1)

    def ends(self, text: str) -> Iterator[int]:
        return iter(_ends(_SENTENCE, text)[self.together - 1 :: self.together])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stories(Cutting):
    """Paragraphs that follow each other, up to ``longest`` characters; a longer one is cut at ends of sentences."""

    longest: int = number(2000, 1)

    def ends(self, text: str) -> Iterator[int]:
        start = last = 0
        sentences = iter(_ends(_SENTENCE, text))
        for paragraph in _ends(None, text):
            if paragraph - start > self.longest and last > start:
                yield last
                start = last
            for end in sentences:
                if end - start > self.longest and last > start:
                    yield last
                    start = last
                last = end
                if end >= paragraph:
                    break


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cut(Corpus):
    """The documents of ``corpus``, cut; what it holds out stays held out."""

    corpus: Corpus
    cutting: Cutting = Words()

    def documents(self, split: Split) -> Iterator[str]:
        return (document.text for document in self.marked(split))

    @property
    def specials(self) -> tuple[str, ...]:
        return self.corpus.specials

    def marked(self, split: Split) -> Iterator[Marked]:
        return (
            Marked(piece, names) for text, names in self.corpus.marked(split) for piece in self.cutting.pieces(text)
        )

    def fingerprint(self) -> str:
        return digest([FORMAT, self.cutting.to_dict(), self.corpus.fingerprint()])

    def reader(self, place: Any = None) -> Reader:
        return _CutReader(self, place)


class _CutReader(Reader):
    """Goes on in the corpus below where the document begins that it stands in, and leaves out the pieces it gave of it."""

    def __init__(self, cut: Cut, place: Any) -> None:
        self._cutting = cut.cutting
        self._begun, taken = (place["document"], place["taken"]) if place else (None, 0)
        self._reader = cut.corpus.reader(self._begun)
        self._begun = self._reader.place
        self._pieces: Iterator[str] = iter(())
        self._taken = 0
        for _ in range(taken):
            next(self)

    def __next__(self) -> str:
        while (piece := next(self._pieces, None)) is None:
            self._begun, self._taken = self._reader.place, 0
            self._pieces = self._cutting.pieces(next(self._reader))
        self._taken += 1
        return piece

    @property
    def place(self) -> dict[str, Any]:
        return {"document": self._begun, "taken": self._taken}


def _ends(closing: re.Pattern[str] | None, text: str) -> list[int]:
    """Where ``closing`` matches end, where paragraphs do, and the end of the text; each place once, in order."""
    paragraphs = [match.start() for match in _BLANK_LINE.finditer(text)]
    closed = [match.end() for match in closing.finditer(text)] if closing else []
    return sorted({*closed, *paragraphs, len(text)})


def _between(text: str, ends: Iterable[int]) -> Iterator[str]:
    """The pieces of ``text`` between ``ends``. One that says nothing (marks, white space) goes with the one before it, the
    first with the next."""
    waiting, start = "", 0
    for end in (*ends, len(text)):
        piece, start = text[start:end], end
        if _says(waiting) and _says(piece):
            yield waiting
            waiting = ""
        waiting += piece
    if waiting:
        yield waiting


def _says(piece: str) -> bool:
    return _LETTER.search(piece) is not None
