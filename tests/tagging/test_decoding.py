import itertools

import numpy as np
import pytest

from wetware.tagging.decoding import LEGAL, FixedLag, viterbi
from wetware.tagging.entities import TAGS

FEW = [0, 1, 2, 3, 4]  # O and two kinds


def legal(tags):
    return all(tag == 0 or tag % 2 or before in (tag - 1, tag) for before, tag in zip([0, *tags], tags, strict=False))


def scores(steps, seed):
    return np.random.default_rng(seed).normal(size=(steps, len(TAGS)))


def moves(seed):
    return LEGAL + np.random.default_rng(seed).normal(size=LEGAL.shape)


def whole(decoder, scores):
    return list(np.concatenate([decoder(scores), decoder.finish()]))


def test_what_is_legal():
    assert all((LEGAL[a, b] == 0) == (b == 0 or b % 2 == 1 or a in (b - 1, b)) for a in range(25) for b in range(25))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("given", [LEGAL, moves(9)], ids=["legal", "moves"])
def test_viterbi_is_the_best_of_all_legal_sequences(seed, given):
    few = np.full((4, len(TAGS)), -50.0)
    few[:, FEW] = np.random.default_rng(seed).normal(size=(4, 5))

    def total(tags):
        return sum(
            few[step, tag] + given[before, tag] for step, (before, tag) in enumerate(itertools.pairwise((0, *tags)))
        )

    best = max((tags for tags in itertools.product(FEW, repeat=4) if legal(tags)), key=total)
    assert tuple(viterbi(few, given)) == best


@pytest.mark.parametrize("wait", [0, 1, 7, 1000])
def test_decoders_never_put_inside_after_anything_but_its_own_kind(wait):
    given = scores(300, 1)
    assert not legal(given.argmax(1))
    assert legal(viterbi(given)) and legal(whole(FixedLag(wait=wait), given))


def test_the_longer_a_stream_waits_the_nearer_it_is_to_the_best():
    begin, inside = TAGS.index("B-NAME"), TAGS.index("I-NAME")
    given = np.zeros((3, len(TAGS)))
    given[0, 0], given[0, begin], given[1:, inside] = 0.2, 0.1, 3.0
    assert list(viterbi(given)) == [begin, inside, inside]
    assert FixedLag()(given)[0] == 0  # cannot look ahead
    assert whole(FixedLag(wait=1), given) == [begin, inside, inside]
    long, by = scores(400, 3), moves(3)
    best = viterbi(long, by)
    right = [np.mean(whole(FixedLag(by, wait), long) == best) for wait in (0, 2, 400)]
    assert right[0] < right[1] <= right[2] == 1.0


@pytest.mark.parametrize("wait", [0, 5, 60])
def test_in_pieces_as_in_one(wait):
    given, pieces = scores(50, 2), FixedLag(moves(1), wait)
    told = [tag for part in np.split(given, [7, 8, 8, 30]) for tag in pieces(part)]
    assert len(told) == max(0, 50 - wait)
    assert [*told, *pieces.finish()] == whole(FixedLag(moves(1), wait), given)


def test_nothing_has_no_tags():
    nothing = np.zeros((0, len(TAGS)))
    assert len(viterbi(nothing)) == 0 and whole(FixedLag(wait=3), nothing) == []
