"""``attention`` against loops, for the reference and every backend."""

from __future__ import annotations

import math

import pytest
import torch

from wetware.kernels import Refused, attention
from wetware.kernels.attention.reference import visible


@pytest.fixture(params=attention.names)
def run(request):
    def call(*args):
        with attention.using(request.param):
            try:
                return attention(*args)
            except Refused as refused:
                pytest.skip(str(refused))

    return call


def draw(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_loops(query, key, value, first):
    batch, queries, heads, size = query.shape
    keys = key.shape[1]
    out = torch.zeros_like(query)
    for b in range(batch):
        for i in range(queries):
            allowed = range(int(first[b, i]), keys - queries + i + 1)
            for h in range(heads):
                scores = [float(query[b, i, h] @ key[b, j, h]) / math.sqrt(size) for j in allowed]
                total = sum(map(math.exp, scores))
                for j, score in zip(allowed, scores, strict=True):
                    out[b, i, h] += math.exp(score) / total * value[b, j, h]
    return out


@pytest.mark.parametrize("cuts", [(7,), (4, 3), (1, 1, 5), (4, 2, 1)], ids=str)
def test_equals_loops_however_the_cache_is_cut(run, cuts):
    query, key, value = draw(0, 2, 3, 2, 4), draw(1, 2, 7, 2, 4), draw(2, 2, 7, 2, 4)
    first = torch.tensor([[0, 0, 0], [0, 2, 6]])
    out = run(query, key.split(cuts, 1), value.split(cuts, 1), first)
    torch.testing.assert_close(out, by_loops(query, key, value, first))


def test_by_hand(run):
    """Scores 0 and ln 3, after the division by sqrt(4): shares 1/4 and 3/4."""
    query = torch.tensor([2 * math.log(3.0), 0, 0, 0]).double().reshape(1, 1, 1, 4)
    key = torch.tensor([[0.0, 5, 5, 5], [1.0, 0, 0, 0]]).double().reshape(1, 2, 1, 4)
    value = torch.tensor([[1.0, 0, 0, 0], [0.0, 1, 0, 0]]).double().reshape(1, 2, 1, 4)
    out = run(query, (key,), (value,), torch.zeros(1, 1, dtype=torch.long))
    torch.testing.assert_close(out.flatten(), torch.tensor([0.25, 0.75, 0.0, 0.0]).double())


def test_a_query_that_sees_itself_alone_copies_its_value(run):
    query, key, value = draw(0, 1, 5, 2, 4), draw(1, 1, 5, 2, 4), draw(2, 1, 5, 2, 4)
    torch.testing.assert_close(run(query, (key,), (value,), torch.arange(5)[None]), value)


def test_large_scores_do_not_overflow(run):
    query, key, value = 1e4 * draw(0, 1, 4, 1, 2), 1e4 * draw(1, 1, 4, 1, 2), draw(2, 1, 4, 1, 2)
    out = run(query.float(), (key.float(),), (value.float(),), torch.zeros(1, 4, dtype=torch.long))
    assert out.isfinite().all() and (out.abs() <= value.abs().max()).all()


def test_what_is_not_seen_gets_no_gradient(run):
    key, value = draw(1, 1, 6, 1, 2).requires_grad_(), draw(2, 1, 6, 1, 2).requires_grad_()
    out = run(draw(0, 1, 2, 1, 2), (key,), (value,), torch.tensor([[2, 3]]))
    for gradient in torch.autograd.grad(out[:, 0].sum(), (key, value)):
        assert gradient.isfinite().all()
        moved = (gradient != 0).any(-1).flatten().tolist()
        assert not any(moved[:2]) and all(moved[2:5]) and not moved[5]


def test_visible_equals_loops():
    for keys, queries in ((1, 1), (5, 5), (9, 3)):
        first = torch.randint(0, keys - queries + 1, (4, queries), generator=torch.Generator().manual_seed(keys))
        mask = visible(first, keys)
        assert mask.shape == (4, queries, keys)
        for b in range(4):
            for i in range(queries):
                assert mask[b, i].tolist() == [first[b, i] <= j <= keys - queries + i for j in range(keys)]


def test_fused_refuses_to_copy_a_cache_for_one_token():
    parts = (draw(0, 1, 4, 1, 2), draw(1, 1, 1, 1, 2))
    arguments = (draw(2, 1, 1, 1, 2), parts, parts, torch.zeros(1, 1, dtype=torch.long))
    with attention.using("fused"), pytest.raises(Refused, match="one query over several segments"):
        attention(*arguments)
    assert "fused: refused, one query over several segments" in attention.explain(*arguments)
    attention(*arguments)
