"""The length-max tokenizer: longest match, special tokens that no text reaches, pieces that save tokens, SpikeWhale's file."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wetware.config import ConfigError
from wetware.data import BPE, DataError, LengthMax, LengthMaxTokenizer, load_tokenizer
from wetware.data.length_max_trainer import STRETCH, Sample, allowed, prune
from wetware.data.longest_match import Table, Trie, matcher
from wetware.data.tokenizers import BOUNDARY, SINGLE_BYTES

SPECIALS = ("<|user|>", "<|end|>", "<|end|>!")


def story(seed: int, sentences: int = 40) -> str:
    dice = random.Random(seed)
    who, what = ("the old king", "a farmer", "the people"), ("went to the river", "paid the debt", "slept")
    return "".join(f"{dice.choice(who)} {dice.choice(what)} in {dice.randint(1790, 1830)}.\n" for _ in range(sentences))


STORIES = [story(seed) for seed in range(8)]
TRAINED = LengthMax(vocab_size=400, specials=SPECIALS).train(STORIES)


def greedy(tokens: dict[bytes, int], text: bytes) -> list[int]:
    """Longest match as one would say it."""
    out = []
    while text:
        piece = max((piece for piece in tokens if text.startswith(piece)), key=len)
        out.append(tokens[piece])
        text = text[len(piece) :]
    return out


letters = st.sampled_from([b"a", b"b", b"c", b"\x00", b"\xff"])
some_bytes = st.lists(letters, max_size=12).map(b"".join)


@given(
    pieces=st.sets(some_bytes.filter(lambda piece: len(piece) > 1), max_size=12), texts=st.lists(some_bytes, max_size=4)
)
def test_both_matchers_take_the_longest_piece(pieces, texts):
    tokens = {piece: 1000 - index for index, piece in enumerate([*SINGLE_BYTES, *sorted(pieces)])}
    expected = [greedy(tokens, text) for text in texts]
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    for kind in (Table, Trie) if matcher(tokens).__class__ is Trie else (Table,):
        found, counts = kind(tokens).cut(b"".join(texts), ends)
        assert [row.tolist() for row in np.split(found, np.cumsum(counts)[:-1])] == (expected or [[]])
        assert found.dtype == np.int32 and counts.sum() == len(found)


def test_matchers_agree_on_random_bytes():
    if matcher({piece: index for index, piece in enumerate(SINGLE_BYTES)}).__class__ is Table:
        pytest.skip("needs numba")
    dice = np.random.default_rng(3)
    data = dice.integers(0, 256, 20_000, np.uint8).tobytes() + STORIES[0].encode() * 3
    pieces = {data[start : start + size] for start in range(0, 20_000, 7) for size in (2, 3, 9, 24)}
    tokens = {piece: index for index, piece in enumerate([*SINGLE_BYTES, *sorted(pieces - set(SINGLE_BYTES))])}
    ends = np.sort(dice.integers(0, len(data), 30))
    ends[-1] = len(data)
    for left, right in zip(Table(tokens).cut(data, ends), Trie(tokens).cut(data, ends), strict=True):
        assert np.array_equal(left, right)


def test_a_process_without_numba_gives_the_same_tokens(monkeypatch):
    again = LengthMaxTokenizer.from_data(TRAINED.data())
    monkeypatch.setattr("wetware.kernels.compiled.why_not", lambda: "numba is not installed")
    assert isinstance(again._matcher, Table)
    assert again.encode_batch(STORIES) == TRAINED.encode_batch(STORIES)
    assert LengthMax(vocab_size=400, specials=SPECIALS).train(STORIES).fingerprint() == TRAINED.fingerprint()


def test_it_spans_words_and_needs_fewer_tokens_than_byte_pair_encoding():
    unseen = story(99)
    bpe = BPE(vocab_size=400).train(STORIES)
    assert len(TRAINED.encode(unseen)) < 0.6 * len(bpe.encode(unseen))
    assert any(b" " in piece[1:] for piece in TRAINED.pieces)
    assert TRAINED.vocab_size == len(TRAINED.pieces) <= 400 + len(SPECIALS)


def test_the_most_useful_pieces_come_first_and_all_bytes_before_them():
    assert TRAINED.pieces[: 1 + 256] == (b"", *SINGLE_BYTES)
    lengths = TRAINED.token_bytes * np.bincount(TRAINED.encode("".join(STORIES)), minlength=TRAINED.vocab_size)
    assert (np.diff(lengths[257 : -len(SPECIALS)]) <= 0).all()


def test_specials_are_atomic_where_asked_and_never_reached_by_text():
    text = "<|user|>the people<|end|>!<|end|>" + BOUNDARY
    user, end, other = (TRAINED.specials[name] for name in SPECIALS)
    assert TRAINED.encode_special(text) == [user, *TRAINED.encode("the people"), other, end, TRAINED.boundary]
    assert TRAINED.encode_special("no names") == TRAINED.encode("no names")
    assert not {user, end, other, TRAINED.boundary} & set(TRAINED.encode(text))
    assert TRAINED.decode(TRAINED.encode(text)) == text
    assert TRAINED.decode(TRAINED.encode_special(text)) == "the people"
    assert TRAINED.token_bytes[[user, end, other, TRAINED.boundary]].tolist() == [0, 0, 0, 0]
    for names in (("",), ("a", "a"), (BOUNDARY,)):
        with pytest.raises(ConfigError, match="LengthMax.specials"):
            LengthMax(specials=names)


@pytest.mark.parametrize(
    ("piece", "good"),
    [
        (b" of the", True),
        (b"\n\n", True),
        (b"    ", True),
        (b" 1897", True),
        (b"$1,000", True),
        (b"No. 12", True),
        (b"of \n", False),
        (b"\nThe", False),
        (b"  the", False),
        (b"the ", False),
        (b"in 1897", False),
        (b"x" * 24, True),
        (b"x" * 25, False),
    ],
)
def test_what_may_be_a_piece(piece, good):
    assert allowed(piece, 24) == good


def test_all_pieces_are_allowed_and_no_longer_than_asked():
    pieces = LengthMax(vocab_size=500, max_piece=7).train(STORIES).pieces
    assert max(map(len, pieces)) == 7
    assert all(allowed(piece, 7) for piece in pieces[257:])


def test_a_phrase_of_one_document_is_not_learned():
    own = "zanzibar quixotic " * 40
    config = LengthMax(vocab_size=600, spread=3)
    assert not any(b"zan" in piece for piece in config.train([*STORIES, own]).pieces)
    assert any(b"zan" in piece for piece in LengthMax(vocab_size=600, spread=1).train([*STORIES, own]).pieces)
    assert any(b"zan" in piece for piece in config.train([own]).pieces)  # a single short document is all there is


def test_the_sample_is_bounded_and_shared():
    documents = ["a" * 3 * STRETCH, "b" * 100, "c" * 10**6]
    sample = Sample.of(documents, 8 * 2 * STRETCH)
    assert [sample.joined.count(letter) for letter in (b"a", b"b", b"c")] == [2 * STRETCH, 100, 2 * STRETCH]
    assert np.diff(sample.ends).max() <= STRETCH
    assert len(Sample.of(iter(documents), 80).joined) == 30
    assert Sample.of([""], 80).joined == b""
    every = sample.every(2, 1)  # the stretches are a a b c c
    assert (every.joined, every.ends.tolist()) == (b"a" * STRETCH + b"c" * STRETCH, [STRETCH, 2 * STRETCH])


def test_pruning_takes_what_is_missed_least():
    text = b"the man the man the man xyxy" * 5
    sample = Sample(text, np.array([len(text)]))
    pieces = [*SINGLE_BYTES, b"xy", b"the man ", b"man "]
    assert prune(sample, pieces, 258) == [*SINGLE_BYTES, b"xy", b"the man "]
    assert prune(sample, pieces, 257) == [*SINGLE_BYTES, b"the man "]


def test_little_text_gives_fewer_tokens():
    assert LengthMax().train(["a"]).vocab_size == 257
    assert LengthMax().train([""]).vocab_size == 257
    assert 257 < LengthMax().train(["ab ab ab"]).vocab_size < 270


# ---------------------------------------------------------------------------------------------------- SpikeWhale's file


def spikewhale(**changes):
    """A vocabulary as theirs: four named specials first, then slots, bytes and pieces."""
    names = ("<pad>", "<unk>", "<bos>", "<eos>")
    pieces = [*SINGLE_BYTES, b" the", "é".encode()]
    vocab = {piece.decode("latin-1"): 128 + index for index, piece in enumerate(pieces)}
    data = {
        "vocab": vocab,
        "vocab_size": 128 + len(pieces),
        "max_token_len": 4,
        "algorithm": "length-max",
        "special_tokens": {name: index for index, name in enumerate(names)},
    }
    return {**data, **changes}


def test_spikewhale_ids_are_kept(tmp_path):
    data = spikewhale()
    (tmp_path / "theirs.json").write_text(json.dumps(data))
    theirs = load_tokenizer(tmp_path / "theirs.json")
    assert isinstance(theirs, LengthMaxTokenizer)
    assert (theirs.vocab_size, theirs.boundary) == (data["vocab_size"], 2)
    assert theirs.encode("the the é<bos>") == [128 + b for b in b"the"] + [384] + [160, 385] + [
        128 + b for b in b"<bos>"
    ]
    assert theirs.encode_special("<bos>a<eos>") == [2, 128 + ord("a"), 3]
    assert theirs.to_spikewhale() == data
    theirs.save_spikewhale(tmp_path / "ours.json")
    assert load_tokenizer(tmp_path / "ours.json").fingerprint() == theirs.fingerprint()
    theirs.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert (again.boundary, again.fingerprint()) == (2, theirs.fingerprint())


def test_specials_may_be_named_in_the_vocabulary_or_by_role():
    expected = LengthMaxTokenizer.from_spikewhale(spikewhale()).fingerprint()
    specials = spikewhale()["special_tokens"]
    vocab = {**specials, **spikewhale()["vocab"]}
    for given_as in (list(specials), {name.strip("<>"): name for name in specials}):
        found = LengthMaxTokenizer.from_spikewhale(spikewhale(vocab=vocab, special_tokens=given_as))
        assert found.fingerprint() == expected


def test_ours_goes_through_their_form():
    assert LengthMaxTokenizer.from_spikewhale(TRAINED.to_spikewhale()).fingerprint() == TRAINED.fingerprint()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"algorithm": "bpe"}, "expected 'length-max'"),
        ({"special_tokens": {"<pad>": 0}}, "expected <bos>"),
        ({"special_tokens": {"<bos>": "<none>"}}, "no length-max vocabulary: KeyError"),
        ({"vocab": {"a": 5}}, "missing: 255"),
        ({"vocab": {"日": 5}}, "no length-max vocabulary: UnicodeEncodeError"),
        ({"vocab": {**spikewhale()["vocab"], "xy": 130}}, "token 130"),
        ({"vocab": []}, "missing: 256"),
        ({"vocab_size": "many"}, "no length-max vocabulary: TypeError"),
    ],
)
def test_what_is_no_vocabulary(changes, says, tmp_path):
    (tmp_path / "theirs.json").write_text(json.dumps(spikewhale(**changes)))
    with pytest.raises(DataError, match=says):
        load_tokenizer(tmp_path / "theirs.json")


def test_tables_that_cannot_be():
    table = [b"", *SINGLE_BYTES]
    with pytest.raises(DataError, match="two tokens stand for b'a'"):
        LengthMaxTokenizer([*table, b"a"], {})
    for name, token in (("<x>", 3), ("<x>", 999), ("", 0)):
        with pytest.raises(DataError, match="expected a token that stands for no bytes"):
            LengthMaxTokenizer(table, {name: token})
    with pytest.raises(DataError, match="the boundary"):
        LengthMaxTokenizer(table, {}, boundary=5)
