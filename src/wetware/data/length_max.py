"""The byte-level length-max tokenizer of SpikeWhale: text cut, from left to right, into the longest pieces there are.

Where byte pair encoding cuts text into words first, a piece here may hold several words. Fewer tokens a byte are fewer steps
of a recurrent network a byte, and a membrane forgets by the token.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wetware.config import ConfigError, nearest, number
from wetware.data.files import DataError, write_atomically
from wetware.data.length_max_trainer import Sample, find_pieces
from wetware.data.longest_match import Table, Trie, matcher
from wetware.data.tokenizers import BOUNDARY, SINGLE_BYTES, Tell, Tokenizer, TokenizerConfig, some, utf8

ALGORITHM = "length-max"
STARTS = ("boundary", "bos", "bostoken")  # the letters of a special token that begins a text


class LengthMaxTokenizer(Tokenizer):
    """Greedy longest match over UTF-8 bytes.

    table: the bytes of every token, ``b""`` for those that stand for no text. specials: the names of such tokens, the
    boundary among them; a token without bytes and without a name is an empty slot. Text is never cut into any of these,
    whatever it says, but as a template. Raises :class:`DataError` for a table that cannot be.
    """

    kind = "LengthMax"

    def __init__(self, table: Sequence[bytes], specials: Mapping[str, int], *, boundary: int = 0) -> None:
        self.pieces = tuple(table)
        self.boundary = boundary
        self.specials = dict(specials)
        self._tokens = {piece: token for token, piece in enumerate(self.pieces) if piece}
        self._check()

    def _check(self) -> None:
        missing = [byte for byte in SINGLE_BYTES if byte not in self._tokens]
        if missing:
            raise DataError(f"a length-max vocabulary holds every byte; missing: {len(missing)}, as {missing[0]!r}")
        if len(self._tokens) < sum(map(bool, self.pieces)):
            double = next(piece for token, piece in enumerate(self.pieces) if piece and self._tokens[piece] != token)
            raise DataError(f"two tokens stand for {double!r}")
        for name, token in (*self.specials.items(), ("the boundary", self.boundary)):
            if not name or not 0 <= token < len(self.pieces) or self.pieces[token]:
                raise DataError(f"special token {name!r} = {token}: expected a token that stands for no bytes")

    @functools.cached_property
    def _matcher(self) -> Trie | Table:
        return matcher(self._tokens)

    @property
    def longest(self) -> int:
        """Bytes of the longest piece."""
        return max(map(len, self.pieces))

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        parts = [utf8(text) for text in texts]
        tokens, counts = self._matcher.cut(b"".join(parts), np.cumsum([len(part) for part in parts], dtype=np.int64))
        row, start, rows = tokens.tolist(), 0, []
        for count in counts.tolist():
            rows.append(row[start : start + count])
            start += count
        return rows

    def _extended(self, names: tuple[str, ...]) -> LengthMaxTokenizer:
        specials = {**self.specials, **{name: self.vocab_size + index for index, name in enumerate(names)}}
        return LengthMaxTokenizer((*self.pieces, *(b"" for _ in names)), specials, boundary=self.boundary)

    def data(self) -> Any:
        pieces = [piece.decode("latin-1") for piece in self.pieces]
        return {"pieces": pieces, "specials": self.specials, "boundary": self.boundary}

    @classmethod
    def from_data(cls, data: Any) -> LengthMaxTokenizer:
        table = [piece.encode("latin-1") for piece in data["pieces"]]
        return cls(table, data["specials"], boundary=data["boundary"])

    # ------------------------------------------------------------------------------------------------ SpikeWhale's files

    def to_spikewhale(self) -> dict[str, Any]:
        """The form of SpikeWhale's ``tokenizer.json``: pieces as text of one character a byte (Latin-1)."""
        vocabulary = {piece.decode("latin-1"): token for piece, token in self._tokens.items()}
        return {
            "vocab": vocabulary,
            "vocab_size": self.vocab_size,
            "max_token_len": self.longest,
            "algorithm": ALGORITHM,
            "special_tokens": self.specials,
        }

    def save_spikewhale(self, path: str | Path) -> None:
        """Write :meth:`to_spikewhale` to a file, atomically."""
        write_atomically(Path(path), json.dumps(self.to_spikewhale()))

    @classmethod
    def from_spikewhale(cls, data: Any) -> LengthMaxTokenizer:
        """A tokenizer with the ids of SpikeWhale's: its start of a text (``<bos>``) is the boundary.

        Special tokens may be given as ``{name: id}``, as names that are in the vocabulary, or as ``{role: name}``.
        Raises :class:`DataError` for anything else.
        """
        try:
            algorithm, vocabulary, specials = data["algorithm"], dict(data["vocab"]), data.get("special_tokens", {})
            if algorithm != ALGORITHM:
                raise DataError(f"algorithm = {algorithm!r}: expected {ALGORITHM!r}")
            roles = specials if isinstance(specials, dict) else {name: name for name in specials}
            named = {
                role if isinstance(of, int) else of: of if isinstance(of, int) else vocabulary[of]
                for role, of in roles.items()
            }
            boundary = _start(roles, named)
            silent = set(named.values())
            sounding = {name.encode("latin-1"): token for name, token in vocabulary.items() if token not in silent}
            table = [b""] * max(data["vocab_size"], 1 + max((*silent, *sounding.values())))
            for piece, token in sounding.items():
                if token < 0 or table[token]:
                    raise DataError(f"token {token} of {piece!r}: taken, or none")
                table[token] = piece
        except (KeyError, TypeError, AttributeError, UnicodeEncodeError) as error:
            raise DataError(f"no length-max vocabulary: {type(error).__name__}: {error}") from None
        return cls(table, named, boundary=boundary)


def _start(roles: Mapping[str, Any], named: Mapping[str, int]) -> int:
    """The token of the special that begins a text, by the letters of its role or name."""
    for role, of in roles.items():
        name = role if isinstance(of, int) else of
        if any(re.sub("[^a-z]", "", word.lower()) in STARTS for word in (role, name)):
            return named[name]
    raise DataError(f"no special token that begins a text: expected <bos>{nearest('<bos>', named)}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LengthMax(TokenizerConfig):
    """The pieces that cut the corpus into the fewest tokens, by greedy longest match (see :mod:`.length_max_trainer`).

    vocab_size: tokens, the boundary and the 256 bytes among them; ``specials`` come on top (SpikeWhale: 16384 and 128).
    max_piece: bytes of the longest piece. spread: documents (or stretches of 64 KiB of them) a piece must occur in.
    sample: bytes of text that are looked at, at most an eighth of them from one document. specials: names of tokens that
    stand for no text, for templates.

    A text in which little repeats gives fewer tokens; ``vocab_size`` of the tokenizer is the true number.
    """

    vocab_size: int = number(16_384, 257)
    max_piece: int = number(24, 1, 255)
    spread: int = number(3, 1)
    sample: int = number(2**26, 1)
    specials: tuple[str, ...] = ()

    def check(self) -> None:
        names = [BOUNDARY, *self.specials]
        for index, name in enumerate(names):
            if not name or name in names[:index]:
                raise ConfigError(f"LengthMax.specials: {name!r} is empty, or there already")

    def train(self, documents: Iterable[str], *, tell: Tell | None = None) -> LengthMaxTokenizer:
        sample = Sample.of(some(documents), self.sample)
        pieces = find_pieces(sample, self.vocab_size - 1, self.max_piece, self.spread, tell or (lambda text: None))
        specials = {name: 1 + len(pieces) + index for index, name in enumerate(self.specials)}
        return LengthMaxTokenizer([b"", *pieces, *(b"" for _ in specials)], {BOUNDARY: 0, **specials})
