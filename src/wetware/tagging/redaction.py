"""Long texts and files: tagged in windows, and written again without their private data, no other byte changed."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from wetware.tagging.entities import Span
from wetware.tagging.tagger import Finder, TaggerModel, TagStream

WINDOW = 2048  # characters whose entities are decided together
MARGIN = 256  # characters beside a window that are read with it
TOGETHER = 8  # windows read side by side
READ = 1 << 16  # bytes


class Piece(NamedTuple):
    """A stretch of text, where it begins, and the entities that begin in it; they end in it too. Places count from the start
    of all the text."""

    start: int
    text: str
    spans: tuple[Span, ...]


def read_characters(file: io.BufferedIOBase) -> Iterator[str]:
    """The text of a binary file, as it comes. Bytes that are no UTF-8 become lone surrogates, which :func:`to_bytes` makes the
    same bytes again; ends of lines are left as they are."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    while block := file.read1(READ):
        if text := decoder.decode(block):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text


def to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def pieces(finder: Finder, blocks: Iterable[str], window: int = WINDOW, margin: int = MARGIN) -> Iterator[Piece]:
    """Tag a text of any length, given in blocks of any sizes; how it is cut into blocks changes nothing.

    The text is cut every ``window`` characters. Each window is read with ``margin`` characters on either side, so that what
    stands at a cut is seen with its surroundings, and an entity belongs to the window in which it begins. The pieces together
    are the text. About ``TOGETHER`` windows are held at a time.
    """
    held, start, done = "", 0, 0  # text not yet let go, where it begins, up to where it was given out
    ended = False
    source = iter(blocks)
    while not ended:
        wanted = done - done % window + TOGETHER * window + margin
        while start + len(held) < wanted and not ended:
            block = next(source, None)
            held, ended = held + (block or ""), block is None
        stop = start + len(held)
        firsts = [
            first
            for first in range(done - done % window, done - done % window + TOGETHER * window, window)
            if first < stop
        ]
        edges = [(max(start, first - margin), min(stop, first + window + margin)) for first in firsts]
        found = finder.find([held[low - start : high - start] for low, high in edges])
        for first, (low, _), spans in zip(firsts, edges, found, strict=True):
            placed = [Span(span.start + low, span.end + low, span.kind) for span in spans]
            own = tuple(span for span in placed if max(first, done) <= span.start < first + window)
            end = max(min(stop, first + window), done, *(span.end for span in own))
            yield Piece(done, held[done - start : end - start], own)
            done = end
        ended = ended and done >= stop
        if firsts:
            kept = max(start, done - done % window - margin)
            held, start = held[kept - start :], kept


def streamed(model: TaggerModel, blocks: Iterable[str]) -> Iterator[Piece]:
    """Tag a text while it comes, by a tagger that reads one way: a piece is given out as soon as no entity can begin in it any
    more: by a tagger's delay and what its decoder waits, some characters after it was read."""
    stream = TagStream(model)
    held, done = "", 0  # text not yet given out, and where it begins
    for block in blocks:
        for first in range(0, len(block), WINDOW):
            part = block[first : first + WINDOW]
            spans, held = stream.feed(part), held + part
            ready = held[: stream.settled - done]
            yield Piece(done, ready, tuple(spans))
            held, done = held[len(ready) :], done + len(ready)
    yield Piece(done, held, tuple(stream.finish()))


def redact(piece: Piece, mark: Callable[[Span], str]) -> str:
    """The text of a piece with ``mark(span)`` in the place of each entity."""
    made, done = [], piece.start
    for span in piece.spans:
        made += [piece.text[done - piece.start : span.start - piece.start], mark(span)]
        done = span.end
    return "".join([*made, piece.text[done - piece.start :]])


def kind_mark(span: Span) -> str:
    """``[EMAIL]`` in the place of an e-mail."""
    return f"[{span.kind}]"
