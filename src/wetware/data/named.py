"""Names: the corpus that ``--data`` means."""

from __future__ import annotations

import difflib
import math
import re
from itertools import islice
from pathlib import Path

from wetware.data.corpora import Corpus, Sotu, TextFiles
from wetware.data.files import DataError
from wetware.data.forms import Form, Instructions, MessageTrees, form_of
from wetware.data.hub import HubDataset
from wetware.data.mixture import Mixture, Part
from wetware.data.readers import READERS, first_columns
from wetware.data.template_conversations import TemplateConversations

# Three parts of educational pages and one of mathematics, by tokens.
FINEWEB_FINEMATH = Mixture(
    parts=(
        Part(name="fineweb_edu", corpus=HubDataset(name="HuggingFaceFW/fineweb-edu", subset="sample-10BT"), share=0.75),
        Part(name="finemath", corpus=HubDataset(name="HuggingFaceTB/finemath", subset="finemath-4plus"), share=0.25),
    )
)
NAMED: dict[str, Corpus] = {
    "sotu": Sotu(),
    "conversations": TemplateConversations(),
    "fineweb_finemath": FINEWEB_FINEMATH,
}
# Data sets of the hub that are conversations, by the form of their rows.
TALKS: dict[str, Form] = {
    "tatsu-lab/alpaca": Instructions(),
    "databricks/databricks-dolly-15k": Instructions(),
    "OpenAssistant/oasst1": MessageTrees(),
}

# A share is whatever stands before a star, from the start or a plus sign on, and cannot be of a path or of a hub's name.
_MIXED = re.compile(r"\s*([^\s*+/:]*)\s*\*(.*)", re.DOTALL)
_PLUS = re.compile(r"\+(?=[^*+/:]*\*)")


def corpus_from(text: str) -> Corpus:
    """The corpus that ``--data`` names: ``sotu``, ``conversations``, ``fineweb_finemath``, a path of text files, a data set of
    the hub (``hf:OWNER/NAME`` or ``hf:OWNER/NAME:SUBSET``), or a mixture by token share, as in
    ``0.75*hf:OWNER/NAME+0.25*my_texts/``.

    Files whose rows hold conversations, by the names of their fields, and the data sets of the hub in ``TALKS`` are read as
    such.
    A data set of the hub is a mixture of one part: it is streamed. Raises :class:`DataError` with the nearest guess.
    """
    if (_MIXED.fullmatch(text) or _PLUS.search(text)) and not Path(text).expanduser().exists():
        return _mixture(text)
    corpus = _single(text)
    return Mixture(parts=(Part(name=_plain(text), corpus=corpus),)) if isinstance(corpus, HubDataset) else corpus


def _mixture(text: str) -> Mixture:
    """``SHARE*TEXT+SHARE*TEXT``; a plus sign inside a path is none, unless a number and a star follow it."""
    parts: list[Part] = []
    for piece in _PLUS.split(text):
        match = _MIXED.fullmatch(piece)
        if match is None:
            raise DataError(
                f"data = {text!r}: {piece.strip()!r} has no share; expected SHARE*TEXT, as in 0.25*{piece.strip()}"
            )
        share, name = _share(match[1], text), match[2].strip()
        corpus = _single(name)
        inner = corpus.ordered if isinstance(corpus, Mixture) else (Part(name=_plain(name), corpus=corpus),)
        shares = corpus.shares if isinstance(corpus, Mixture) else (1.0,)
        for part, inner_share in zip(inner, shares, strict=True):
            parts.append(Part(name=_unused(part.name, parts), corpus=part.corpus, share=share * inner_share))
    return Mixture(parts=tuple(parts))


def _share(text: str, whole: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share < math.inf:
        raise DataError(f"data = {whole!r}: {text!r} is no share; expected a number above 0, as in 0.25*TEXT")
    return share


def _single(text: str) -> Corpus:
    if text in NAMED:
        return NAMED[text]
    if text.startswith("hf:"):
        match = re.fullmatch(r"hf:([\w.-]+/[\w.-]+)(?::(.+))?", text)
        if match is None:
            raise DataError(f"data = {text!r}: expected hf:OWNER/NAME or hf:OWNER/NAME:SUBSET")
        return HubDataset(name=match[1], subset=match[2], form=TALKS.get(match[1]))
    path = Path(text).expanduser()
    if text and path.exists():
        return TextFiles(path=text, form=form_of(first_columns(path)))
    close = difflib.get_close_matches(text, [*NAMED, *_siblings(path)], n=1, cutoff=0.5)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    names, kinds = ", ".join(map(repr, NAMED)), ", ".join(READERS)
    raise DataError(f"no data {text!r}: expected {names}, 'hf:OWNER/NAME', or the path of {kinds} files{guess}")


def _plain(text: str) -> str:
    """A name for a part: the last word of a path or of a data set's name, in plain letters."""
    last = re.sub(r"^hf:[^/]*/([^:]*).*", r"\1", text).rstrip("/").rsplit("/", 1)[-1]
    return re.sub(r"[^a-z0-9]+", "_", last.lower()).strip("_") or "text"


def _unused(name: str, parts: list[Part]) -> str:
    """``name``, or with a number behind it when another part is called so."""
    taken = {part.name for part in parts}
    return next(each for each in (name, *(f"{name}_{n}" for n in range(2, len(parts) + 3))) if each not in taken)


def _siblings(path: Path) -> list[str]:
    """Paths beside a missing ``path`` that a user may have meant, written the way the user wrote it."""
    parent = path.parent
    if not parent.is_dir():
        return []
    inside = (item for item in parent.iterdir() if item.is_dir() or item.suffix.lower() in READERS)
    return [str(item) for item in islice(inside, 1000)]
