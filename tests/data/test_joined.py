"""Joined: the documents of several packed texts, one after the other."""

import numpy as np
import pytest

from wetware.data import Joined, Sentences, Stream, TextFiles, Words, pack
from wetware.data.tokenizers import Bytes


@pytest.fixture
def parts(tiny_text):
    corpus, tokenizer = TextFiles(path=str(tiny_text)), Bytes().train(())
    return [pack(each.of(corpus), tokenizer, "validation") for each in (Words(), Sentences())]


def test_it_reads_what_its_parts_are(parts):
    joined = Joined(parts)
    whole = np.concatenate([part.tokens(0, len(part)) for part in parts])
    assert len(joined) == len(whole) == joined.epoch_tokens
    assert joined.documents == sum(part.documents for part in parts)
    assert np.array_equal(joined.tokens(0, len(joined)), whole)
    across = len(parts[0]) + np.array([[-2, 3], [0, -1]])
    assert np.array_equal(joined.take(across), whole[across])
    index = parts[0].documents + 1
    assert np.array_equal(joined.read_document(index), parts[1].read_document(1))
    with pytest.raises(IndexError):
        joined.tokens(0, len(joined) + 1)


def test_a_stream_reads_all_of_it(parts):
    joined = Joined(parts)
    stream = Stream(joined, 1, 1)
    served = [int(stream.at(step).inputs) for step in range(stream.steps_per_epoch)]
    last = int(stream.at(stream.steps_per_epoch - 1).targets)
    assert np.array_equal(np.bincount([*served, last]), np.bincount(joined.tokens(0, len(joined))))
