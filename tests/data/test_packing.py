"""Packing: tokens on disk are the tokens of the text, whole or not at all, and packed once."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from wetware.data import BPE, Bytes, Corpus, DataError, Packed, TextFiles, default_cache, pack, prepare
from wetware.data import packing as packing_module


@dataclasses.dataclass(frozen=True, kw_only=True)
class Listed(Corpus):
    """A corpus for tests: the documents themselves."""

    train: tuple[str, ...] = ("one", "two and three", "", "vier, fünf", "6")
    validation: tuple[str, ...] = ("seven",)

    def documents(self, split):
        return iter(getattr(self, split))

    def fingerprint(self):
        return repr(self)


TOKENIZER = Bytes().train([])
TEXTS = [text for text in Listed().train if text]
ROW = np.concatenate([[0, *TOKENIZER.encode(text)] for text in TEXTS])


@pytest.fixture(params=[3, 7, 10_000], ids=lambda size: f"shards of {size}")
def packed(request, tmp_path):
    return pack(Listed(), TOKENIZER, "train", tmp_path, shard_tokens=request.param)


def test_tokens_across_shards(packed):
    assert len(packed) == len(ROW)
    for start in range(len(ROW) + 1):
        for stop in range(start, len(ROW) + 1):
            tokens = packed.tokens(start, stop)
            assert tokens.dtype == np.int64
            assert np.array_equal(tokens, ROW[start:stop])
    positions = np.random.default_rng(0).integers(0, len(ROW), (4, 9))
    assert np.array_equal(packed.take(positions), ROW[positions])


def test_documents(packed):
    assert packed.documents == len(TEXTS)
    assert all(packed.tokens(start, start + 1) == [0] for start in packed.starts)
    assert [TOKENIZER.decode(packed.read_document(index)) for index in range(packed.documents)] == TEXTS
    assert packed.lengths.tolist() == [len(text.encode()) + 1 for text in TEXTS]
    assert packed.source_bytes == sum(len(text.encode()) for text in TEXTS)


def test_positions_outside(packed):
    for start, stop in ((-1, 2), (2, 1), (0, len(ROW) + 1)):
        with pytest.raises(IndexError, match="not inside"):
            packed.tokens(start, stop)
    with pytest.raises(IndexError, match="not inside"):
        packed.take(np.array([len(ROW)]))
    with pytest.raises(IndexError, match="no document 4: allowed 0 to 3"):
        packed.read_document(4)


def test_big_vocabularies_take_four_bytes(tmp_path):
    class Wide(type(TOKENIZER)):
        vocab_size = 70_000

        def encode_batch(self, texts):
            return [[69_000] * len(text) for text in texts]

        @property
        def token_bytes(self):
            return np.ones(self.vocab_size, np.int64)

    packed = pack(Listed(), Wide(), "train", tmp_path)
    assert packed.tokens(0, 3).tolist() == [0, 69_000, 69_000]
    assert (packed.folder / "tokens-00000.bin").stat().st_size == 4 * len(packed)
    narrow = pack(Listed(), TOKENIZER, "validation", tmp_path)
    assert (narrow.folder / "tokens-00000.bin").stat().st_size == 2 * len(narrow)


def test_the_second_time_is_from_the_cache(tmp_path, monkeypatch):
    seen = []
    first = pack(Listed(), TOKENIZER, "train", tmp_path, progress=lambda *done: seen.append(done))
    assert seen[-1] == (4, first.source_bytes)
    monkeypatch.setattr(packing_module, "write_tokens", None)
    assert pack(Listed(), TOKENIZER, "train", tmp_path).key == first.key


def test_what_changes_the_tokens_changes_the_key(tmp_path):
    keys = {
        pack(Listed(), TOKENIZER, "train", tmp_path).key,
        pack(Listed(), TOKENIZER, "validation", tmp_path).key,
        pack(Listed(train=("other",)), TOKENIZER, "train", tmp_path).key,
        pack(Listed(), BPE(vocab_size=260).train(TEXTS), "train", tmp_path).key,
    }
    assert len(keys) == 4


def test_nothing_to_pack(tmp_path):
    with pytest.raises(DataError, match="the validation split of Listed has no text"):
        pack(Listed(validation=("",)), TOKENIZER, "validation", tmp_path)
    with pytest.raises(DataError, match="did you mean 'train'"):
        pack(Listed(), TOKENIZER, "trian", tmp_path)
    (tmp_path / "a.txt").write_text("  \n ")
    with pytest.raises(DataError, match="no text"):
        prepare(TextFiles(path=str(tmp_path / "a.txt")), Bytes(), tmp_path)


def left_over(folder):
    """What a cache holds besides its locks."""
    return sorted(path.name for path in (folder / "packed").iterdir() if not path.name.endswith(".lock"))


def test_an_error_in_the_middle_leaves_nothing(tmp_path):
    class Torn(Listed):
        def documents(self, split):
            yield from ("one" * 400_000, "two" * 400_000)
            raise DataError("torn")

    with pytest.raises(DataError, match="torn"):
        pack(Torn(), TOKENIZER, "train", tmp_path)
    assert left_over(tmp_path) == []


KILLED = """
import os, sys
from pathlib import Path
from wetware.data import Bytes, TextFiles, pack
pack(TextFiles(path=sys.argv[1]), Bytes().train([]), "train", Path(sys.argv[2]), progress=lambda *done: os._exit(9))
"""


def test_a_killed_packing_is_begun_anew(tmp_path):
    text, cache = tmp_path / "a.txt", tmp_path / "cache"
    text.write_text("a tale of two splits\n" * 100)
    done = subprocess.run([sys.executable, "-c", KILLED, str(text), str(cache)])
    assert done.returncode == 9
    (partial,) = left_over(cache)
    assert partial.endswith(".partial")
    packed = pack(TextFiles(path=str(text)), TOKENIZER, "train", cache)
    assert left_over(cache) == [packed.folder.name]
    assert TOKENIZER.decode(packed.read_document(0)) == "a tale of two splits\n" * 90


@pytest.mark.parametrize("name", ["tokens-00000.bin", "offsets.npy", "packed.json"])
def test_damage_is_noticed_and_repaired(tmp_path, name):
    packed = pack(Listed(), TOKENIZER, "train", tmp_path)
    whole = (packed.folder / name).read_bytes()
    for damage in (b"", whole[: len(whole) // 2 // 2 * 2]):
        (packed.folder / name).write_bytes(damage)
        with pytest.raises(DataError, match="damaged packed folder"):
            Packed(packed.folder)
        again = pack(Listed(), TOKENIZER, "train", tmp_path)
        assert np.array_equal(again.tokens(0, len(again)), ROW)


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write the cache"):
        pack(Listed(), TOKENIZER, "train", tmp_path / "file")


def test_prepare_trains_the_tokenizer_once(tmp_path, monkeypatch):
    tokenizer, train, validation = prepare(Listed(), BPE(vocab_size=262), tmp_path)
    assert (train.documents, validation.documents) == (4, 1)
    assert tokenizer.decode(validation.read_document(0)) == "seven"
    monkeypatch.setattr(BPE, "train", None)
    again, *_ = prepare(Listed(), BPE(vocab_size=262), tmp_path)
    assert again.fingerprint() == tokenizer.fingerprint()
    same, given_train, _ = prepare(Listed(), tokenizer, tmp_path)
    assert same is tokenizer and given_train.key == train.key


def test_the_default_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WETWARE_CACHE", str(tmp_path))
    assert default_cache() == tmp_path
    assert pack(Listed(), TOKENIZER, "train").folder.parent == tmp_path / "packed"
    monkeypatch.delenv("WETWARE_CACHE")
    assert default_cache().is_absolute()
    assert "wetware" in str(default_cache())
