"""Tokenizers that are there already: read from a folder, from a checkpoint, or from SpikeWhale's file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wetware.config import kinds, nearest
from wetware.data.files import DataError
from wetware.data.length_max import LengthMaxTokenizer
from wetware.data.tokenizers import (
    FILE,
    BPETokenizer,
    BytesTokenizer,
    CharactersTokenizer,
    Tell,
    Tokenizer,
    TokenizerConfig,
    fingerprint_of,
)

KINDS: dict[str, type[Tokenizer]] = {
    cls.kind: cls for cls in (BPETokenizer, BytesTokenizer, CharactersTokenizer, LengthMaxTokenizer)
}


def load_tokenizer(folder: str | Path) -> Tokenizer:
    """The tokenizer that :meth:`Tokenizer.save` wrote into ``folder``, or a file in the form of SpikeWhale's.

    Raises :class:`DataError` when it is missing or damaged.
    """
    path = Path(folder)
    if not path.is_file():
        path = path / FILE
    try:
        content = json.loads(path.read_bytes())
        if "algorithm" in content:
            return LengthMaxTokenizer.from_spikewhale(content)
        kind, expected, data = content["kind"], content["fingerprint"], content["data"]
        specials = content.get("specials", [])
    except OSError as error:
        raise DataError(f"no tokenizer at {str(path)!r}: {error.strerror}") from None
    except DataError as error:
        raise DataError(f"{str(path)!r}: {error}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"damaged tokenizer {str(path)!r}: {type(error).__name__}: {error}") from None
    if kind not in KINDS:
        raise DataError(f"unknown kind of tokenizer {kind!r} in {str(path)!r}{nearest(str(kind), KINDS)}")
    if fingerprint_of(kind, data, specials) != expected:
        raise DataError(f"damaged tokenizer {str(path)!r}: its content is not what was saved")
    return KINDS[kind].from_data(data).with_specials(specials)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SavedTokenizer(TokenizerConfig):
    """A tokenizer that was trained before, perhaps on another text.

    path: what ``wetware tokenizer train`` wrote, the folder of a checkpoint, or a file in the form of SpikeWhale's.
    """

    path: str

    def train(self, documents: Iterable[str], *, tell: Tell | None = None) -> Tokenizer:
        return load_tokenizer(Path(self.path).expanduser())

    def fingerprint(self) -> Any:
        return self.train([]).fingerprint()


def tokenizer_from(text: str) -> TokenizerConfig:
    """The tokenizer that ``--tokenizer`` names: a kind (``LengthMax``), or where one was saved.

    Raises :class:`DataError` with the nearest guess when there is none.
    """
    named: dict[str, Any] = {name: kind for name, kind in kinds(TokenizerConfig).items() if kind is not SavedTokenizer}
    if text in named:
        return named[text]()
    if text and Path(text).expanduser().exists():
        return SavedTokenizer(path=text)
    raise DataError(f"no tokenizer {text!r}: expected a kind or a folder{nearest(text, named)}")
