import itertools

import numpy as np
import pytest

from wetware.tagging.decoding import Greedy, viterbi
from wetware.tagging.entities import TAGS


def legal(tags):
    return all(tag == 0 or tag % 2 or before in (tag - 1, tag) for before, tag in zip([0, *tags], tags, strict=False))


@pytest.mark.parametrize("seed", range(4))
def test_viterbi_is_the_best_of_all_legal_sequences(seed):
    few = [0, 1, 2, 3, 4]  # O and two kinds
    scores = np.full((4, len(TAGS)), -50.0)
    scores[:, few] = np.random.default_rng(seed).normal(size=(4, 5))
    every = [tags for tags in itertools.product(few, repeat=4) if legal(tags)]
    best = max(every, key=lambda tags: sum(scores[step, tag] for step, tag in enumerate(tags)))
    assert tuple(viterbi(scores)) == best


def test_decoders_never_put_inside_after_anything_but_its_own_kind():
    scores = np.random.default_rng(1).normal(size=(300, len(TAGS)))
    assert not legal(scores.argmax(1))
    assert legal(viterbi(scores)) and legal(Greedy()(scores))


def test_viterbi_looks_ahead_where_greedy_cannot():
    begin, inside = TAGS.index("B-NAME"), TAGS.index("I-NAME")
    scores = np.zeros((3, len(TAGS)))
    scores[0, 0], scores[0, begin], scores[1:, inside] = 0.2, 0.1, 3.0
    assert list(viterbi(scores)) == [begin, inside, inside]
    assert Greedy()(scores)[0] == 0


def test_greedy_in_pieces_is_greedy_in_one():
    scores = np.random.default_rng(2).normal(size=(50, len(TAGS)))
    pieces = Greedy()
    assert list(Greedy()(scores)) == [tag for part in np.split(scores, [7, 8, 30]) for tag in pieces(part)]


def test_nothing_has_no_tags():
    assert len(viterbi(np.zeros((0, len(TAGS))))) == 0
