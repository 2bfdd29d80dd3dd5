"""Cutting: pieces joined are the text, splits stay apart, and a reader goes on where another stopped."""

from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wetware.data import (
    Clauses,
    Conversations,
    Cut,
    Mixture,
    Part,
    Sentences,
    Stories,
    TemplateConversations,
    TextFiles,
    WholeText,
    Words,
    pack,
)
from wetware.data.tokenizers import Bytes

TEXT = 'Mr. A. Bell rang, twice. "Is it late?" he asked\n\nNo one answered; the house, old and cold, slept: all of it.'
CUTTINGS = (Words(), Words(most=1), Clauses(), Clauses(most=2), Sentences(), Sentences(together=3), Stories(longest=40))


@pytest.fixture
def corpus(tiny_text):
    return TextFiles(path=str(tiny_text))


@settings(max_examples=60)
@given(text=st.text(st.sampled_from("ab A.,!?\n\"'é1;")))
@pytest.mark.parametrize("cutting", CUTTINGS, ids=str)
def test_pieces_joined_are_the_text(cutting, text):
    pieces = list(cutting.pieces(text))
    assert "".join(pieces) == text
    assert all(pieces)
    assert len(pieces) < 2 or all(any(map(str.isalnum, piece)) for piece in pieces)


def test_what_the_pieces_are():
    assert list(Words(most=2).pieces(TEXT))[:5] == ["Mr.", " A.", " Bell rang,", " twice.", ' "Is it']
    assert list(Clauses(most=4).pieces(TEXT))[4:] == [
        ' "Is it late?"',
        " he asked",
        "\n\nNo one answered;",
        " the house,",
        " old and cold,",
        " slept:",
        " all of it.",
    ]
    first, *rest = Sentences().pieces(TEXT)
    assert first == "Mr. A. Bell rang, twice."
    assert rest == [
        ' "Is it late?" he asked',
        "\n\nNo one answered; the house, old and cold, slept: all of it.",
    ]
    assert list(Sentences(together=2).pieces(TEXT)) == [first + rest[0], rest[1]]
    assert list(Stories(longest=200).pieces(TEXT)) == [TEXT]
    assert list(Stories(longest=60).pieces(TEXT)) == [first + rest[0], rest[1]]
    assert list(Stories(longest=30).pieces(TEXT)) == [first, *rest]


def test_words_are_few():
    assert all(1 <= len(piece.split()) <= 3 for piece in Words().pieces(TEXT))


@pytest.mark.parametrize("cutting", CUTTINGS, ids=str)
def test_splits_are_those_of_the_corpus(cutting, corpus):
    cut = cutting.of(corpus)
    for split in ("train", "validation"):
        assert "".join(cut.documents(split)) == "".join(corpus.documents(split))


def test_a_cut_corpus_is_packed_under_its_own_name(corpus):
    tokenizer = Bytes().train(())
    cut = [pack(each.of(corpus), tokenizer, "validation") for each in (Words(), Words(most=2), Sentences())]
    assert len({packed.key for packed in cut}) == 3
    assert cut[1].documents > cut[0].documents > cut[2].documents
    assert len({packed.source_bytes for packed in cut}) == 1


def test_a_reader_goes_on_where_another_stopped(corpus):
    cut = Cut(corpus=corpus, cutting=Sentences())
    every = list(cut.documents("train"))
    for read in (0, 1, 200):
        reader = cut.reader()
        assert list(islice(reader, read)) == every[:read]
        assert list(cut.reader(reader.place)) == every[read:]


def test_of_a_mixture_every_part_is_cut(corpus):
    mixture = Mixture(parts=(Part(name="one", corpus=corpus), Part(name="other", corpus=corpus, share=2.0)), block=4096)
    cut = Words().of(mixture)
    assert cut == replace(mixture, parts=tuple(replace(part, corpus=Cut(corpus=corpus)) for part in mixture.parts))


def test_whole_text_and_conversations(corpus):
    assert WholeText().of(corpus) is corpus
    talk = Conversations(count=5, seed=3).of(corpus)
    assert talk == TemplateConversations(about=corpus, count=5, seed=3)
    assert Conversations().of(talk) is talk
    assert Sentences().of(talk).specials == talk.specials
