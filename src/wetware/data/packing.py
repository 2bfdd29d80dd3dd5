"""Packing: a split of a corpus as one long row of tokens on disk, read through memory maps.

A packed folder holds ``tokens-00000.bin``, ... (little-endian uint16, or uint32 for a vocabulary over 65536; all shards
but the last one are full), ``offsets.npy`` (int64 [documents + 1], where each document starts, and the end) and
``packed.json``. A document is a boundary token followed by its own. The folder's name is a digest of everything that
its content depends on. What is packed while it is read (:class:`Growing`) is a row of such folders.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from wetware.data.corpora import Corpus, Marked, Split, check_split
from wetware.data.files import DataError, default_cache, digest, held, sync
from wetware.data.tokenizers import Tokenizer

FORMAT = 1
SHARD_TOKENS = 64 * 2**20
BATCH_CHARACTERS = 2**20
TOLD_EVERY = 64  # documents between two words about progress

Progress = Callable[[int, int], None]


class Packed:
    """The tokens of one split. ``len(packed)`` counts tokens, boundaries included; positions run from 0 to that."""

    def __init__(self, folder: str | Path) -> None:
        """Open a packed folder. Raises :class:`DataError` when it is missing or damaged."""
        self.folder = Path(folder)
        try:
            about = json.loads((self.folder / "packed.json").read_bytes())
            self.key: str = about["key"]
            self.source_bytes: int = about["source_bytes"]
            self.vocab_size: int = about["vocab_size"]
            self.end: Any = about.get("end")  # the place in its sources where a block ends
            self._shard_tokens: int = about["shard_tokens"]
            self._offsets = np.load(self.folder / "offsets.npy", mmap_mode="r")
            paths = [self.folder / _shard_name(index) for index in range(about["shards"])]
            self._shards = [np.memmap(path, dtype=about["dtype"], mode="r") for path in paths]
            documents, tokens = about["documents"], about["tokens"]
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"damaged packed folder {str(self.folder)!r}: {type(error).__name__}: {error}") from None
        present = sum(len(shard) for shard in self._shards)
        if self.documents != documents or present != tokens or present != len(self):
            raise DataError(f"damaged packed folder {str(self.folder)!r}: {present} of {tokens} tokens")

    def __len__(self) -> int:
        return int(self._offsets[-1])

    @property
    def epoch_tokens(self) -> int:
        """Tokens that every epoch has at least."""
        return len(self)

    def epoch(self, index: int) -> Packed:
        """What is read in an epoch, counted from 0: all of it, every time."""
        return self

    def place(self, epoch: int) -> Any:
        """What a checkpoint must keep so that ``epoch`` can be read again on another machine: nothing."""
        return None

    def go_on(self, epoch: int, place: Any) -> None:
        """Take over what :meth:`place` said when the checkpoint was made."""

    def reading_ahead(self) -> AbstractContextManager[Any]:
        """While this is held, the next epoch is made ready in the background; nothing here."""
        return nullcontext()

    @property
    def documents(self) -> int:
        """The number of documents."""
        return len(self._offsets) - 1

    @property
    def starts(self) -> np.ndarray:
        """int64 [documents]: the position of each document's boundary token."""
        return self._offsets[:-1]

    @property
    def lengths(self) -> np.ndarray:
        """int64 [documents]: tokens of each document, its boundary included."""
        return np.diff(self._offsets)

    def tokens(self, start: int, stop: int) -> np.ndarray:
        """int64 [stop - start]: the tokens at these positions, also across shards."""
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"tokens {start} to {stop} are not inside 0 to {len(self)}")
        pieces = []
        while start < stop:
            shard, inside = divmod(start, self._shard_tokens)
            piece = self._shards[shard][inside : inside + stop - start]
            pieces.append(np.asarray(piece, dtype=np.int64))
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else np.concatenate([np.empty(0, np.int64), *pieces])

    def take(self, positions: np.ndarray) -> np.ndarray:
        """int64 of the shape of ``positions``: the tokens there, in any order."""
        if positions.size and not (positions.min() >= 0 and positions.max() < len(self)):
            raise IndexError(f"positions {positions.min()} to {positions.max()} are not inside 0 to {len(self)}")
        shards, inside = np.divmod(positions, self._shard_tokens)
        taken = np.empty(positions.shape, np.int64)
        for shard in np.unique(shards):
            here = shards == shard
            taken[here] = self._shards[shard][inside[here]]
        return taken

    def read_document(self, index: int) -> np.ndarray:
        """int64: the tokens of a document, its boundary first."""
        if not 0 <= index < self.documents:
            raise IndexError(f"no document {index}: allowed 0 to {self.documents - 1}")
        return self.tokens(int(self._offsets[index]), int(self._offsets[index + 1]))


def pack(
    corpus: Corpus,
    tokenizer: Tokenizer,
    split: Split,
    cache: str | Path | None = None,
    *,
    shard_tokens: int = SHARD_TOKENS,
    progress: Progress | None = None,
    fingerprint: str | None = None,
) -> Packed:
    """The tokens of one split, from the cache if they are there.

    They are written beside their place and renamed into it: a packing that is killed leaves nothing that could be taken
    for a whole one, and the next call clears away what it left. ``progress(documents, source_bytes)`` is told what is
    done. ``fingerprint`` saves asking the corpus for it again. Raises :class:`DataError` when the split has no text or the
    cache cannot be written.
    """
    check_split(split)
    if shard_tokens < 1:
        raise DataError(f"shard_tokens = {shard_tokens}: allowed 1 or more")
    fingerprint = corpus.fingerprint() if fingerprint is None else fingerprint
    key = digest([FORMAT, fingerprint, tokenizer.fingerprint(), split, shard_tokens])
    folder = cache_folder(cache) / "packed" / f"{split}-{key}"

    def build(partial: Path) -> None:
        rows = _encoded(corpus.marked(split), tokenizer)
        about = write_tokens(partial, key, rows, tokenizer, shard_tokens, progress)
        if not about["documents"]:
            raise DataError(f"the {split} split of {type(corpus).__name__} has no text: nothing to pack")
        (partial / "packed.json").write_text(json.dumps(about, indent=1))

    return cached(folder, Packed, build)


def cache_folder(cache: str | Path | None) -> Path:
    return default_cache() if cache is None else Path(cache)


def cached(folder: Path, load: Callable[[Path], Any], build: Callable[[Path], None]) -> Any:
    """``load(folder)``; where that fails, ``build`` a new folder first, so that it is there whole or not at all.

    One process builds while others wait, so what is found half built was left by a process that died.
    """
    try:
        return load(folder)
    except DataError:
        pass
    partial, lock = folder.with_name(f".{folder.name}.partial"), folder.with_name(f".{folder.name}.lock")
    try:
        with held(lock):
            try:
                return load(folder)  # another process may have built it while this one waited
            except DataError:
                shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            try:
                build(partial)
                for path in partial.iterdir():
                    sync(path)
                sync(partial)
                os.rename(partial, folder)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
            sync(folder.parent)
    except OSError as error:
        message = f"cannot write the cache {str(folder.parent)!r}: {error}; WETWARE_CACHE may name another folder"
        raise DataError(message) from error
    return load(folder)


def _shard_name(index: int) -> str:
    return f"tokens-{index:05d}.bin"


class _Shards:
    """Writes one row of tokens into files of ``limit`` tokens."""

    def __init__(self, folder: Path, dtype: str, limit: int) -> None:
        self.folder, self.dtype, self.limit = folder, dtype, limit
        self.count = self.tokens = 0
        self._file: BinaryIO | None = None

    def write(self, tokens: np.ndarray) -> None:
        while len(tokens):
            used = self.tokens % self.limit
            if used == 0:
                self.close()
                self._file = (self.folder / _shard_name(self.count)).open("wb")
                self.count += 1
            assert self._file is not None
            fitting = tokens[: self.limit - used]
            fitting.astype(self.dtype).tofile(self._file)
            self.tokens += len(fitting)
            tokens = tokens[len(fitting) :]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def write_tokens(
    folder: Path, key: str, rows: Iterable[np.ndarray], tokenizer: Tokenizer, limit: int, progress: Progress | None
) -> dict[str, Any]:
    """Write shards and offsets of ``rows``, a document each; what ``packed.json`` says about them."""
    dtype = "<u2" if tokenizer.vocab_size <= 2**16 else "<u4"
    shards, offsets, source_bytes = _Shards(folder, dtype, limit), [0], 0
    token_bytes = tokenizer.token_bytes
    try:
        for row in rows:
            shards.write(row)
            source_bytes += int(token_bytes[row].sum())
            offsets.append(shards.tokens)
            if progress is not None and len(offsets) % TOLD_EVERY == 0:
                progress(len(offsets) - 1, source_bytes)
        if progress is not None:
            progress(len(offsets) - 1, source_bytes)
    finally:
        shards.close()
    np.save(folder / "offsets.npy", np.array(offsets, dtype="<i8"))
    return {
        "format": FORMAT,
        "key": key,
        "vocab_size": tokenizer.vocab_size,
        "shard_tokens": limit,
        "documents": len(offsets) - 1,
        "tokens": shards.tokens,
        "source_bytes": source_bytes,
        "shards": shards.count,
        "dtype": dtype,
    }


def _encoded(documents: Iterable[Marked], tokenizer: Tokenizer) -> Iterator[np.ndarray]:
    """A row of each document: a boundary, and its tokens."""
    for batch in _batches(documents):
        for names, alike in groupby(batch, key=lambda document: document.names):
            for tokens in tokenizer.encode_marked([document.text for document in alike], names):
                yield np.array([tokenizer.boundary, *tokens], dtype=np.int64)


def _batches(documents: Iterable[Marked]) -> Iterator[list[Marked]]:
    """Lists of about ``BATCH_CHARACTERS``, enough to keep every core busy; documents without text are left out."""
    batch: list[Marked] = []
    size = 0
    for document in documents:
        if document.text:
            batch.append(document)
            size += len(document.text)
        if size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
