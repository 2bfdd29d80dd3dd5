"""Streams: contiguous lanes, every token once, pure in the step; evaluation counts every token once."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wetware.data import DataError, Stream, held_out_rows
from wetware.data.packing import Packed


class Numbered(Packed):
    """Packed documents of given lengths, in memory: the token at position p is p itself, so tokens are distinct."""

    def __init__(self, lengths):
        self._offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)

    def tokens(self, start, stop):
        assert 0 <= start <= stop <= len(self)
        return np.arange(start, stop)

    def take(self, positions):
        assert positions.min() >= 0 and positions.max() < len(self)
        return positions.copy()


LENGTHS = [5, 2, 31, 9, 4, 17, 2, 8, 22, 3, 40, 6]
lengths = st.lists(st.integers(2, 40), min_size=1, max_size=30)


def same(one, other):
    return torch.equal(one.inputs, other.inputs) and torch.equal(one.targets, other.targets) and one[2:] == other[2:]


def epoch_of(stream, epoch):
    """All tokens of an epoch as its lanes serve them: [batch, steps * chunk + 1]."""
    first = epoch * stream.steps_per_epoch
    chunks = [stream.at(first + index) for index in range(stream.steps_per_epoch)]
    return torch.cat([*(chunk.inputs for chunk in chunks), chunks[-1].targets[:, -1:]], dim=1)


def test_shapes_and_the_shift():
    stream = Stream(Numbered(LENGTHS), batch=3, chunk=7, seed=1)
    chunk = stream.at(0)
    assert chunk.inputs.shape == chunk.targets.shape == (3, 7)
    assert chunk.inputs.dtype == chunk.targets.dtype == torch.int64
    assert torch.equal(chunk.inputs[:, 1:], chunk.targets[:, :-1])
    assert stream.tokens_per_step == 21


def test_lanes_are_contiguous_and_begin_anew_with_each_epoch():
    stream = Stream(Numbered(LENGTHS), batch=3, chunk=7)
    for step in range(3 * stream.steps_per_epoch):
        chunk, following = stream.at(step), stream.at(step + 1)
        assert chunk.fresh == (step % stream.steps_per_epoch == 0)
        assert chunk.epoch == step // stream.steps_per_epoch
        assert following.fresh or torch.equal(following.inputs[:, 0], chunk.targets[:, -1])


@settings(max_examples=60, deadline=None)
@given(lengths=lengths, batch=st.integers(1, 5), chunk=st.integers(1, 9), seed=st.integers(0, 9))
def test_every_token_is_served_once_up_to_the_remainder(lengths, batch, chunk, seed):
    packed = Numbered(lengths)
    if len(packed) < batch * (chunk + 1):
        with pytest.raises(DataError, match="too few"):
            Stream(packed, batch, chunk, seed)
        return
    stream = Stream(packed, batch, chunk, seed)
    for epoch in (0, 1):
        served = epoch_of(stream, epoch).flatten().tolist()
        assert len(set(served)) == len(served)
        assert len(packed) - len(served) < batch * (chunk + 1)


def test_an_epoch_is_whole_documents_in_a_shuffled_order():
    packed = Numbered(LENGTHS)
    stream = Stream(packed, batch=1, chunk=1)
    orders = []
    for epoch in range(3):
        row = epoch_of(stream, epoch)[0].numpy()
        breaks = np.flatnonzero(np.diff(row) != 1) + 1
        assert set(row[breaks]) <= set(packed.starts.tolist())
        orders.append([position for position in row.tolist() if position in packed.starts])
    assert all(sorted(order) == packed.starts.tolist() for order in orders)
    assert orders[0] != orders[1] != orders[2]
    assert epoch_of(Stream(packed, 1, 1, seed=1), 0).tolist() != epoch_of(stream, 0).tolist()


def test_a_chunk_depends_on_its_step_alone():
    packed = Numbered(LENGTHS)
    straight = [Stream(packed, 3, 7, seed=5).at(step) for step in range(30)]
    wandering = Stream(packed, 3, 7, seed=5)
    for step in np.random.default_rng(0).permutation(30):
        assert same(wandering.at(int(step)), straight[step])


def test_too_little_text_says_what_to_lower():
    with pytest.raises(DataError, match=r"20 tokens .* need 36: lower chunk to at most 4 or batch to at most 2"):
        Stream(Numbered([20]), batch=4, chunk=8)
    with pytest.raises(DataError, match="lower both"):
        Stream(Numbered([3]), batch=4, chunk=8)
    Stream(Numbered([20]), batch=4, chunk=4)
    Stream(Numbered([20]), batch=2, chunk=8)


def test_numbers_that_cannot_be():
    packed = Numbered(LENGTHS)
    for arguments in ({"batch": 0, "chunk": 2}, {"batch": 2, "chunk": 0}, {"batch": 2, "chunk": 2, "seed": -1}):
        with pytest.raises(DataError, match="allowed"):
            Stream(packed, **arguments)
    with pytest.raises(DataError, match="step = -1"):
        Stream(packed, 2, 2).at(-1)
    with pytest.raises(DataError, match="rows = 0"):
        held_out_rows(packed, 2, 0)


# ---------------------------------------------------------------------------------------------------------- evaluation


@settings(max_examples=60, deadline=None)
@given(lengths=lengths, chunk=st.integers(1, 12), rows=st.integers(1, 6))
def test_every_target_is_counted_once_after_its_whole_document(lengths, chunk, rows):
    packed, seen, walked = Numbered(lengths), Counter(), None
    for step in held_out_rows(packed, chunk, rows):
        assert step.inputs.shape == step.targets.shape == step.counted.shape
        assert step.inputs.shape[0] <= rows and step.inputs.shape[1] == chunk
        assert step.counted.dtype == torch.bool
        seen.update(step.targets[step.counted].tolist())
        walked = step.inputs if step.fresh else torch.cat([walked, step.inputs], dim=1)
        for row, target, counted in zip(walked, step.targets, step.counted, strict=True):
            length = walked.shape[1] - chunk + int(counted.sum())
            assert row[0] in packed.starts
            if counted.any():
                assert row[:length].tolist() == list(range(int(row[0]), int(row[0]) + length))
                assert target[counted][-1] == row[length - 1] + 1
            assert not target[~counted].any()
    assert seen == Counter(set(range(len(packed))) - set(packed.starts.tolist()))


def test_documents_of_like_length_go_together():
    steps = list(held_out_rows(Numbered([2, 40] * 8), chunk=4, rows=8))
    assert all(step.counted.any(dim=1).all() for step in steps)


@pytest.mark.parametrize("limit", [1, 30, 60, 100, 148])
def test_a_limit_takes_equal_heads(limit):
    packed = Numbered([50, 50, 50, 4])
    steps, again = (list(held_out_rows(packed, 10, 4, limit)) for _ in range(2))
    assert all(torch.equal(one.targets, other.targets) for one, other in zip(steps, again, strict=True))
    targets = [target for step in steps for target in step.targets[step.counted].tolist()]
    counts = Counter(np.searchsorted(packed.starts, targets, side="right").tolist())
    assert abs(sum(counts.values()) - limit) <= 10
    long = [count for document, count in counts.items() if document != 4]
    assert len(set(long)) == 1


@pytest.mark.parametrize("limit", [1, 60, 120])
def test_a_limit_of_whole_documents_cuts_none(limit):
    packed = Numbered([50, 30, 50, 4] * 3)
    read = [step.targets[step.counted].tolist() for step in held_out_rows(packed, 10, 4, limit, whole=True)]
    counts = Counter(np.searchsorted(packed.starts, np.concatenate(read), side="right").tolist())
    assert all(count == packed.lengths[document - 1] - 1 for document, count in counts.items())
    assert len(counts) == max(1, round(limit / (packed.lengths - 1).mean()))


def test_a_limit_over_all_is_no_limit():
    every = [step.targets for step in held_out_rows(Numbered(LENGTHS), 5, 3)]
    limited = [step.targets for step in held_out_rows(Numbered(LENGTHS), 5, 3, 10_000)]
    assert all(torch.equal(one, other) for one, other in zip(every, limited, strict=True))
