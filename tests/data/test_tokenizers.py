"""Tokenizers: exact round trips, honest byte counts, no way into the boundary, damage noticed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wetware.config import ConfigError, from_dict, kinds
from wetware.data import (
    BPE,
    Bytes,
    Characters,
    DataError,
    LengthMax,
    SavedTokenizer,
    TextFiles,
    TokenizerConfig,
    load_tokenizer,
    prepare,
    tokenizer_from,
)
from wetware.data.tokenizers import BOUNDARY

TEXTS = ["the cat sat on the mat; the cat sat still\n" * 20, "Ünïcödé “quotes” – 日本語 and 🐳🐳\r\n" * 5]
CONFIGS = [BPE(vocab_size=300), Bytes(), Characters(), Characters(limit=2), LengthMax(vocab_size=300)]
TRAINED = [config.train(TEXTS) for config in CONFIGS]
NAMES = [repr(config) for config in CONFIGS]

each = pytest.mark.parametrize("tokenizer", TRAINED, ids=NAMES)
any_text = st.one_of(st.text(), st.lists(st.sampled_from([*TEXTS, BOUNDARY, "\u0000", "\r", " ", "é"])).map("".join))


@each
@settings(max_examples=60, deadline=None)
@given(text=any_text)
def test_text_survives_and_its_bytes_are_counted(tokenizer, text):
    tokens = tokenizer.encode(text)
    assert tokenizer.decode(tokens) == text
    assert tokenizer.boundary not in tokens
    assert tokenizer.token_bytes[np.array(tokens, np.int64)].sum() == len(text.encode())
    assert all(0 < token < tokenizer.vocab_size for token in tokens)


@each
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_tokens_stream_as_they_decode(tokenizer, data):
    tokens = data.draw(st.lists(st.integers(0, tokenizer.vocab_size - 1)))
    decoder = tokenizer.decoder()
    assert "".join(map(decoder.push, tokens)) + decoder.flush() == tokenizer.decode(tokens)


@each
def test_a_character_is_streamed_when_it_is_complete(tokenizer):
    decoder = tokenizer.decoder()
    pushed = [decoder.push(token) for token in tokenizer.encode("a🦑b")]
    assert "".join(pushed) == "a🦑b"
    assert "🦑" in pushed or "🦑b" in pushed
    assert decoder.flush() == ""
    half = [tokenizer.pieces.index(bytes([byte])) for byte in "🦑".encode()[:2]]
    assert [decoder.push(token) for token in half] == ["", ""]
    assert decoder.flush() == "\N{REPLACEMENT CHARACTER}"
    assert decoder.push(tokenizer.encode("a")[0]) == "a"


@each
def test_the_boundary_is_silent_and_no_text_reaches_it(tokenizer):
    assert tokenizer.boundary == 0
    assert tokenizer.token_bytes[0] == 0
    assert tokenizer.token_bytes.dtype == np.int64
    assert tokenizer.token_bytes.shape == (tokenizer.vocab_size,)
    assert tokenizer.decode([0, *tokenizer.encode("a"), 0, 0]) == "a"
    assert tokenizer.decode(tokenizer.encode(BOUNDARY)) == BOUNDARY
    assert 0 not in tokenizer.encode(f"a{BOUNDARY}b {BOUNDARY}")


@each
def test_unknown_tokens_and_text_that_is_none(tokenizer):
    for token in (-1, tokenizer.vocab_size):
        with pytest.raises(DataError, match=f"no token {token}: allowed 0 to {tokenizer.vocab_size - 1}"):
            tokenizer.decode([token])
    with pytest.raises(DataError, match="half a surrogate pair"):
        tokenizer.encode("a\ud800")


@each
def test_batches_equal_single_texts(tokenizer):
    texts = [*TEXTS, "", "one"]
    assert tokenizer.encode_batch(texts) == [tokenizer.encode(text) for text in texts]
    assert tokenizer.encode_batch([]) == []


@each
def test_saved_and_loaded(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert type(again) is type(tokenizer)
    assert again.fingerprint() == tokenizer.fingerprint()
    assert again.encode_batch(TEXTS) == tokenizer.encode_batch(TEXTS)
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]


def test_bpe_merges_and_says_its_true_size():
    bpe = BPE(vocab_size=300).train(TEXTS)
    assert bpe.vocab_size == 300
    assert len(bpe.encode(TEXTS[0])) < len(TEXTS[0]) / 3
    assert BPE(vocab_size=300).train(TEXTS).fingerprint() == bpe.fingerprint()
    assert BPE(vocab_size=4096).train(["ab ab"]).vocab_size < 270
    assert BPE(vocab_size=257).train(TEXTS).vocab_size == 257
    with pytest.raises(ConfigError, match="out of range"):
        BPE(vocab_size=256)


def test_bytes_are_bytes():
    assert Bytes().train([]).encode("aé") == [98, 196, 170]
    assert Bytes().train([]).vocab_size == 257


def test_characters_keep_the_most_frequent():
    tokenizer = Characters(limit=2).train(["ééé üü ß", "ab"])
    assert tokenizer.vocab_size == 259
    assert tokenizer.encode("éüß") == [257, 258, *(byte + 1 for byte in "ß".encode())]


@pytest.mark.parametrize("config", [BPE(), Characters(), LengthMax()])
def test_training_on_nothing(config):
    with pytest.raises(DataError, match="training split is empty"):
        config.train([])


def test_configs_round_trip_and_the_base_is_no_choice():
    assert all(from_dict(config.to_dict()) == config for config in CONFIGS)
    assert set(kinds(TokenizerConfig)) == {"BPE", "Bytes", "Characters", "LengthMax", "SavedTokenizer"}


def test_missing_and_damaged_files(tmp_path):
    with pytest.raises(DataError, match="no tokenizer at"):
        load_tokenizer(tmp_path)
    TRAINED[0].save(tmp_path)
    path = tmp_path / "tokenizer.json"
    whole = path.read_text()
    content = json.loads(whole)
    for damaged in (whole[:1000], "", "[]", "{}", "\udcff"):
        path.write_text(damaged, errors="surrogateescape")
        with pytest.raises(DataError, match="damaged tokenizer"):
            load_tokenizer(tmp_path)
    path.write_text(json.dumps({**content, "data": {}}))
    with pytest.raises(DataError, match="not what was saved"):
        load_tokenizer(tmp_path)
    path.write_text(json.dumps({**content, "kind": "BPEE"}))
    with pytest.raises(DataError, match="did you mean 'BPE'"):
        load_tokenizer(tmp_path)


def test_a_saved_tokenizer_is_taken_as_it_is_and_known_by_its_content(tmp_path, tiny_text):
    place, cache, corpus = tmp_path / "saved", tmp_path / "cache", TextFiles(path=str(tiny_text))
    config = SavedTokenizer(path=str(place))
    for tokenizer in TRAINED[:2]:
        tokenizer.save(place)
        found, train, _ = prepare(corpus, config, cache)
        assert found.fingerprint() == tokenizer.fingerprint()
        assert train.vocab_size == tokenizer.vocab_size
    with pytest.raises(DataError, match="no tokenizer at"):
        SavedTokenizer(path=str(tmp_path / "none")).train([])


def test_tokenizers_by_name(tmp_path):
    assert tokenizer_from("LengthMax") == LengthMax()
    assert tokenizer_from(str(tmp_path)) == SavedTokenizer(path=str(tmp_path))
    for text, guess in (
        ("LengthMx", "did you mean 'LengthMax'"),
        ("", "allowed: BPE"),
        ("SavedTokenizer", "no tokenizer"),
    ):
        with pytest.raises(DataError, match=guess):
            tokenizer_from(text)
