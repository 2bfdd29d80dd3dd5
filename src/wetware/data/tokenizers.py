"""Tokenizers: text to numbers and back, exactly.

Every tokenizer is a table of *pieces*, the source bytes that each token stands for. One token, 0 unless a tokenizer was
brought along from elsewhere, is the boundary that starts every document and stands for no byte; it is never the result of
encoding text, whatever the text says. The pieces of an
encoding, joined, are the UTF-8 bytes of the text, so decoding, counting bytes and streaming are the same for all.

*Special* tokens have a name, such as ``<|user|>``, and stand for no byte either: text is cut into them only where a program
says that it is a template (:meth:`Tokenizer.encode_marked`).
"""

from __future__ import annotations

import codecs
import copy
import dataclasses
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from wetware.config import Config, nearest, number
from wetware.data.files import DataError, digest, write_atomically

BOUNDARY = "<|boundary|>"
FILE = "tokenizer.json"
Tell = Callable[[str], None]
SINGLE_BYTES = tuple(bytes([byte]) for byte in range(256))


class Decoder:
    """Text from tokens that come one at a time; a character is held back until its last byte is there."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        """The characters that ``token`` completes, perhaps none. Raises :class:`DataError` for an unknown id."""
        return self._decoder.decode(self._tokenizer.piece(token))

    def flush(self) -> str:
        """What is held back, as replacement characters; then it begins anew."""
        return self._decoder.decode(b"", final=True)


class Tokenizer:
    """Base of the tokenizers: ``pieces[id]`` are the bytes of a token; a subclass says how text is cut into pieces.

    specials: the names of special tokens, and their numbers.
    """

    kind: ClassVar[str]
    boundary: int = 0
    specials: Mapping[str, int] = MappingProxyType({})
    _added: tuple[str, ...] = ()  # special tokens on top of those that ``data`` knows

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = (b"", *pieces)

    @property
    def vocab_size(self) -> int:
        """The number of tokens, the boundary among them."""
        return len(self.pieces)

    @property
    def token_bytes(self) -> np.ndarray:
        """int64 [vocab_size]: how many bytes of source text each token stands for; 0 for the boundary and its like."""
        return np.array([len(piece) for piece in self.pieces], dtype=np.int64)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text, without a boundary."""
        raise NotImplementedError

    def encode(self, text: str) -> list[int]:
        """The tokens of ``text``, without a boundary."""
        return self.encode_batch([text])[0]

    def with_specials(self, names: Iterable[str]) -> Tokenizer:
        """This tokenizer with a special token of each of ``names``: those that are not there come after all tokens, so that no
        number changes."""
        missing = tuple(name for name in dict.fromkeys(names) if name not in self.specials)
        return self._extended(missing) if missing else self

    def _extended(self, names: tuple[str, ...]) -> Tokenizer:
        extended = copy.copy(self)
        extended.pieces = (*self.pieces, *(b"" for _ in names))
        extended.specials = {**self.specials, **{name: self.vocab_size + i for i, name in enumerate(names)}}
        extended._added = (*self._added, *names)
        return extended

    def encode_marked(self, texts: Sequence[str], names: Collection[str]) -> list[list[int]]:
        """The tokens of templates: in these texts the ``names`` of special tokens stand for them.

        For what a program writes; what a user wrote goes through :meth:`encode`. Raises :class:`DataError` for a name that the
        tokenizer does not have.
        """
        if not names:
            return self.encode_batch(texts)
        for name in names:
            if name not in self.specials:
                raise DataError(f"the tokenizer has no special token {name!r}{nearest(name, self.specials)}")
        cut = [split_marked(text, names) for text in texts]
        encoded = iter(self.encode_batch([part for parts in cut for part in parts[::2]]))
        return [
            [
                token
                for index, part in enumerate(parts)
                for token in ([self.specials[part]] if index % 2 else next(encoded))
            ]
            for parts in cut
        ]

    def encode_special(self, text: str) -> list[int]:
        """The tokens of a template in which the names of all special tokens stand for these."""
        return self.encode_marked([text], self.specials)[0]

    def piece(self, token: int) -> bytes:
        """The source bytes of a token. Raises :class:`DataError` for an unknown id."""
        if not 0 <= token < len(self.pieces):
            raise DataError(f"no token {token}: allowed 0 to {len(self.pieces) - 1}")
        return self.pieces[token]

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of ``tokens``; a boundary is nothing, bytes that are not UTF-8 become replacement characters."""
        return b"".join(self.piece(int(token)) for token in tokens).decode("utf-8", "replace")

    def decoder(self) -> Decoder:
        """Decodes tokens as they come."""
        return Decoder(self)

    def data(self) -> Any:
        """Plain data from which :meth:`from_data` makes the same tokenizer again."""
        raise NotImplementedError

    @classmethod
    def from_data(cls, data: Any) -> Tokenizer:
        """The inverse of :meth:`data`."""
        raise NotImplementedError

    def fingerprint(self) -> str:
        """32 hexadecimal digits; equal only for tokenizers that encode alike."""
        return fingerprint_of(self.kind, self.data(), self._added)

    def save(self, folder: str | Path) -> None:
        """Write ``tokenizer.json`` into ``folder``, atomically."""
        content = {"kind": self.kind, "fingerprint": self.fingerprint(), "data": self.data()}
        if self._added:
            content["specials"] = list(self._added)
        write_atomically(Path(folder) / FILE, json.dumps(content))


class BytesTokenizer(Tokenizer):
    """One token a byte: byte b is token b + 1."""

    kind = "Bytes"

    def __init__(self) -> None:
        super().__init__(SINGLE_BYTES)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [[byte + 1 for byte in utf8(text)] for text in texts]

    def data(self) -> Any:
        return {}

    @classmethod
    def from_data(cls, data: Any) -> BytesTokenizer:
        return cls()


class CharactersTokenizer(Tokenizer):
    """One token a byte, and one for each of ``characters``, all of which take several bytes."""

    kind = "Characters"

    def __init__(self, characters: str) -> None:
        super().__init__((*SINGLE_BYTES, *(character.encode() for character in characters)))
        self.characters = characters
        self._tokens = {character: [257 + index] for index, character in enumerate(characters)}
        self._tokens.update({chr(byte): [byte + 1] for byte in range(128)})

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(chain.from_iterable(map(self._cut, text))) for text in texts]

    def _cut(self, character: str) -> list[int]:
        return self._tokens.get(character) or [byte + 1 for byte in utf8(character)]

    def data(self) -> Any:
        return {"characters": self.characters}

    @classmethod
    def from_data(cls, data: Any) -> CharactersTokenizer:
        return cls(data["characters"])


class BPETokenizer(Tokenizer):
    """Byte pair encoding by the library ``tokenizers``. ``described`` is what that library saves, boundary included.

    library: its own tokenizer.
    """

    kind = "BPE"

    def __init__(self, described: dict[str, Any]) -> None:
        import tokenizers

        self._described = described
        self.library = tokenizers.Tokenizer.from_str(json.dumps(described))
        symbols = sorted(described["model"]["vocab"].items(), key=lambda item: item[1])
        byte_of = _bytes_of_symbols()
        super().__init__([bytes(byte_of[letter] for letter in symbol) for symbol, _ in symbols[1:]])

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        for text in texts:
            utf8(text)
        return [encoding.ids for encoding in self.library.encode_batch_fast(list(texts))]

    def data(self) -> Any:
        return self._described

    @classmethod
    def from_data(cls, data: Any) -> BPETokenizer:
        return cls(data)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenizerConfig(Config):
    """How a tokenizer is made from a corpus."""

    abstract: ClassVar[bool] = True

    def train(self, documents: Iterable[str], *, tell: Tell | None = None) -> Tokenizer:
        """The tokenizer for ``documents``. Raises :class:`DataError` when it needs text and there is none.

        tell: is told how far it is, by a tokenizer that takes its time.
        """
        raise NotImplementedError

    def fingerprint(self) -> Any:
        """Plain data; equal only for configs that make the same tokenizer of the same documents."""
        return self.to_dict()


@dataclasses.dataclass(frozen=True, kw_only=True)
class BPE(TokenizerConfig):
    """Byte-level byte pair encoding: 256 bytes, the boundary, and merges until there are ``vocab_size`` tokens.

    A text too small for that many merges gives fewer tokens; ``vocab_size`` of the tokenizer is the true number.
    """

    vocab_size: int = number(4096, 257)

    def train(self, documents: Iterable[str], *, tell: Tell | None = None) -> BPETokenizer:
        from tokenizers import Tokenizer as Library
        from tokenizers import decoders, models, pre_tokenizers, trainers

        library = Library(models.BPE())
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        library.decoder = decoders.ByteLevel()
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        trainer = trainers.BpeTrainer(vocab_size=self.vocab_size - 1, initial_alphabet=alphabet, show_progress=False)
        library.train_from_iterator(some(documents), trainer)
        described = json.loads(library.to_str())
        # The boundary is an ordinary entry that no merge reaches: a special token would be found inside users' text.
        vocabulary = described["model"]["vocab"]
        described["model"]["vocab"] = {BOUNDARY: 0, **{symbol: index + 1 for symbol, index in vocabulary.items()}}
        return BPETokenizer(described)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bytes(TokenizerConfig):
    """The 256 bytes and the boundary; nothing is learned from the corpus."""

    def train(self, documents: Iterable[str], *, tell: Tell | None = None) -> BytesTokenizer:
        return BytesTokenizer()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Characters(TokenizerConfig):
    """The boundary, the 256 bytes, and the ``limit`` most frequent characters of the corpus that take several bytes.

    Characters of one byte (ASCII) are those bytes already. Any other character is cut into its bytes.
    """

    limit: int = number(1024, 0)

    def train(self, documents: Iterable[str], *, tell: Tell | None = None) -> CharactersTokenizer:
        counts: Counter[str] = Counter()
        for text in some(documents):
            counts.update(text)
        several = [character for character in counts if ord(character) > 127]
        several.sort(key=lambda character: (-counts[character], character))
        return CharactersTokenizer("".join(several[: self.limit]))


def split_marked(text: str, names: Collection[str]) -> list[str]:
    """What stands between the ``names`` in a text, and at odd places the names themselves; of two, the longer one is meant."""
    ordered = sorted(names, key=lambda name: (-len(name), name))
    return re.split(f"({'|'.join(map(re.escape, ordered))})", text) if ordered else [text]


def fingerprint_of(kind: str, data: Any, specials: Sequence[str]) -> str:
    """Of a tokenizer, by what is saved of it."""
    return digest([kind, data, list(specials)] if specials else [kind, data])


def utf8(text: str) -> bytes:
    """The bytes of ``text``, or :class:`DataError` if it holds half a character."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        message = f"cannot encode half a surrogate pair {text[error.start]!a} at character {error.start}"
        raise DataError(message) from None


def some(documents: Iterable[str]) -> Iterator[str]:
    """``documents``, or :class:`DataError` if there is none."""
    iterator = iter(documents)
    for first in iterator:
        return chain([first], iterator)
    raise DataError("no text to train a tokenizer on: the training split is empty")


def _bytes_of_symbols() -> dict[str, int]:
    """The byte of each letter of the byte-level alphabet: visible Latin-1 stands for itself, the rest is U+0100 on."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {chr(256 + index): byte for index, byte in enumerate(hidden)}
