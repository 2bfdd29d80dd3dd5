"""Mixing: shares of tokens, not of documents; the same rows whoever comes first, and from any place on."""

from __future__ import annotations

import json
import time
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wetware.data import Bytes, DataError, HubDataset, Mixture, Part, Sotu, TextFiles
from wetware.data import mixing as room
from wetware.data.mixing import Mixer, furthest_below

TOKENIZER = Bytes().train([])
PAGES = Part(name="pages", corpus=HubDataset(name="short/pages", held_out=0.1), share=0.75)
PROOFS = Part(name="proofs", corpus=HubDataset(name="long/proofs", held_out=0.1), share=0.25)


def mixer(*parts, place=None):
    mixture = Mixture(parts=parts or (PAGES, PROOFS))
    return Mixer(mixture.ordered, mixture.shares, TOKENIZER, place)


def same(rows, others):
    return len(rows) == len(others) and all(map(np.array_equal, rows, others))


@given(
    st.lists(st.tuples(st.floats(0.01, 1.0), st.integers(1, 50)), min_size=1, max_size=5),
    st.integers(1, 400),
)
def test_no_source_is_further_off_its_quota_than_documents_are_long(sources, draws):
    shares = [share / sum(share for share, _ in sources) for share, _ in sources]
    emitted = [0] * len(sources)
    for _ in range(draws):
        index = furthest_below(emitted, shares)
        emitted[index] += sources[index][1]
    longest = max(length for _, length in sources)
    for share, count in zip(shares, emitted, strict=True):
        assert share * sum(emitted) - count < longest * len(sources)
        assert count - share * sum(emitted) <= longest


def test_shares_are_of_tokens(hub):
    """The documents of one source are more than three times as long: by documents it would have far less than a quarter."""
    drawn, tokens, documents = mixer(), {}, {}
    for row in islice(drawn, 3000):
        name = TOKENIZER.decode(row[:6])
        tokens[name], documents[name] = tokens.get(name, 0) + len(row), documents.get(name, 0) + 1
    total = sum(tokens.values())
    assert abs(tokens["long/"] / total - 0.25) < 0.01
    assert documents["long/"] / 3000 < 0.12
    assert {source.part.name: source.tokens for source in drawn.sources} == {
        "pages": tokens["short"],
        "proofs": tokens["long/"],
    }
    assert all(source.passes for source in drawn.sources), "both were read to their end, and began again"


@pytest.mark.parametrize("batch", [1, 300, 10_000, 2**20])
@pytest.mark.parametrize("drawn", [0, 1, 50, 777, 1500])
def test_it_goes_on_from_any_place(hub, monkeypatch, batch, drawn):
    whole = list(islice(mixer(), 1600))
    monkeypatch.setattr(room, "BATCH_CHARACTERS", batch)
    first = mixer()
    assert same(list(islice(first, drawn)), whole[:drawn])
    place = json.loads(json.dumps(first.place))
    assert same(list(islice(mixer(place=place), 1600 - drawn)), whole[drawn:])
    assert mixer(place=place).place == place


def test_a_place_in_the_middle_of_a_batch_does_not_depend_on_its_size(hub, monkeypatch):
    first = mixer()
    before = list(islice(first, 333))
    monkeypatch.setattr(room, "BATCH_CHARACTERS", 500)
    assert same([*before, *islice(mixer(place=first.place), 100)], list(islice(mixer(), 433)))


def test_who_is_written_or_answers_first_changes_nothing(hub):
    whole = list(islice(mixer(PAGES, PROOFS), 400))
    assert same(list(islice(mixer(PROOFS, PAGES), 400)), whole)
    for slow in ("short/pages", "long/proofs"):
        hub.before = lambda name, row, slow=slow: time.sleep(0.0002) if name == slow else None
        assert same(list(islice(mixer(), 400)), whole)


def test_no_more_than_a_batch_is_held(hub, monkeypatch):
    monkeypatch.setattr(room, "BATCH_CHARACTERS", 2000)
    drawn, longest = mixer(), max(map(len, hub.contents["long/proofs"]))
    most = 0
    for _ in islice(drawn, 500):
        most = max(most, *(sum(map(len, source._batch)) for source in drawn.sources))
    assert 0 < most <= 2000 + longest + 100
    taken = sum(hub.rows_read.values())
    assert taken < 500 / 0.8 + 200, (
        "little more was read than was given, the held-out tenth and the search for it apart"
    )


def test_sources_of_all_kinds_and_one_alone(hub, tiny_text):
    local, speeches = Part(name="local", corpus=TextFiles(path=str(tiny_text))), Part(name="sotu", corpus=Sotu())
    assert same(list(islice(mixer(local), 11)), list(islice(mixer(local), 11)))
    drawn = mixer(local, speeches, PAGES)
    list(islice(drawn, 300))
    place = json.loads(json.dumps(drawn.place))
    assert same(list(islice(mixer(PAGES, local, speeches, place=place), 20)), list(islice(drawn, 20)))


def test_a_source_without_text(hub, tmp_path):
    hub.contents["nothing/here"] = ["", "  "]
    empty = Part(name="empty", corpus=HubDataset(name="nothing/here"))
    with pytest.raises(DataError, match="'empty', a part of a mixture, has no text"):
        next(mixer(PAGES, empty))
        next(mixer(empty))
