"""N-gram references against counting by hand."""

import math

import numpy as np
import pytest

from wetware.data import Bytes, TextFiles, prepare
from wetware.evaluation import references


class Held:
    """Tokens as a Packed gives them."""

    def __init__(self, tokens):
        self.array = np.array(tokens)

    def __len__(self):
        return len(self.array)

    def tokens(self, start, stop):
        return self.array[start:stop]


def test_by_hand():
    # vocabulary 0 (boundary), 1, 2; text 0 1 2 1 2; held out 0 1 1
    unigram, bigram = references(Held([0, 1, 2, 1, 2]), Held([0, 1, 1]), np.array([0, 1, 2]))
    p1 = (2 + 1) / (5 + 3)
    assert unigram.bits_per_byte == pytest.approx(-2 * math.log2(p1) / 2)
    after_boundary = (1 + 1 * p1) / (1 + 1)  # 0 was followed once, by 1
    after_one = (0 + 1 * p1) / (2 + 1)  # 1 was followed twice, by 2 alone
    assert bigram.bits_per_byte == pytest.approx(-(math.log2(after_boundary) + math.log2(after_one)) / 2)
    assert bigram.perplexity == pytest.approx((after_boundary * after_one) ** -0.5)


def test_a_context_never_seen_falls_back_to_the_unigram():
    _, bigram = references(Held([0, 1, 1]), Held([0, 2, 1]), np.array([0, 1, 1]))
    assert math.isfinite(bigram.bits_per_byte)


def test_boundaries_are_not_counted(tiny_text):
    tokenizer, train, held_out = prepare(TextFiles(path=str(tiny_text)), Bytes())
    unigram, bigram = references(train, held_out, tokenizer.token_bytes)
    assert bigram.bits_per_byte < unigram.bits_per_byte < 8
