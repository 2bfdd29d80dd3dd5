"""Self-attention: a cache in segments that is not copied at every token, windows, documents, forks."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wetware.layers import KV, SelfAttention
from wetware.layers.attention import Span, segments
from wetware.models import GPT
from wetware.parameters import initialize
from wetware.state import leaves, select

WIDTH, HEADS = 8, 2
lengths = st.integers(0, 3000)
pages = st.none() | st.integers(1, 600)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def built(window=None):
    made = SelfAttention(heads=HEADS, window=window).build(width=WIDTH, depth=1)
    initialize(made, 0)
    return made.requires_grad_(False)


def read(layer, x, sizes=None, state=None, before=0, oldest=None):
    """Outputs and cache of ``x`` read in chunks of these sizes."""
    state, outputs = state or KV((), ()), []
    for part in x.split(sizes or [x.shape[1]], 1):
        positions = (before + torch.arange(part.shape[1])).expand(len(x), -1)
        first = torch.zeros_like(positions) if oldest is None else oldest[:, positions[0]]
        out, state = layer(part, state, Span(positions, first, before))
        before += part.shape[1]
        outputs.append(out)
    return torch.cat(outputs, 1), state


# ------------------------------------------------------------------------------------------------------------- segments


@given(lengths, pages)
def test_segments_cover_in_falling_powers_of_two(length, page):
    found = list(segments(length, page))
    assert [start for start, _ in found] == [0, *(end for _, end in found)][: len(found)]
    assert (found[-1][1] if found else 0) == length
    sizes = [end - start for start, end in found]
    assert all(size > 0 and size & (size - 1) == 0 for size in sizes)
    assert sizes == sorted(sizes, reverse=True)
    largest = length if page is None else page
    below = [size for size in sizes if 2 * size <= largest and size != max(sizes)]
    assert all(size <= largest for size in sizes) and len(set(below)) == len(below)
    if page is None:
        assert len(set(sizes)) == len(sizes)
    else:
        assert sum(size != sizes[0] for size in sizes) < math.log2(page) + 1
        assert sizes.count(max(sizes, default=0)) >= length // page if length else True


@given(lengths, pages)
def test_one_more_position_changes_only_the_tail(length, page):
    before, after = list(segments(length, page)), list(segments(length + 1, page))
    same = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    assert len(after) == same + 1  # everything after the first change is joined into one segment
    joined = [end - start for start, end in before[same:]]
    assert joined == [2**k for k in reversed(range(len(joined)))]  # 4, 2, 1 and the new one become 8


@pytest.mark.parametrize("page", [None, 1, 5, 64])
def test_a_position_is_copied_a_logarithm_of_times(page):
    copied, known = 0, set()
    last = 3000 if page is None else 12 * page
    for length in range(1, last + 1):
        now = set(segments(length, page))
        copied += sum(end - start for start, end in now - known if end - start > 1)
        known = now
        assert copied <= length * (math.log2(length) + 1)
    if page is not None:
        assert copied <= last * (math.log2(page) + 1)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), pages)
def test_segments_depend_on_the_length_alone(chunks, page):
    window = None if page is None else 4 * page
    layer = built(window)
    whole = read(layer, noise(1, sum(chunks), WIDTH))[1]
    parts = read(layer, noise(1, sum(chunks), WIDTH), chunks)[1]
    assert [k.shape for k in whole.keys] == [k.shape for k in parts.keys]
    for (_, a), (_, b) in zip(leaves(whole), leaves(parts), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_what_is_wanted_whole_is_handed_on_and_the_rest_is_joined():
    layer, x = built(), noise(1, 64, WIDTH)
    _, state = read(layer, x[:, :44])  # 32 + 8 + 4
    _, longer = read(layer, x[:, 44:45], state=state, before=44)
    assert [k.shape[1] for k in longer.keys] == [32, 8, 4, 1]
    assert all(a is b for a, b in zip(state.keys, longer.keys, strict=False))
    assert all(a is b for a, b in zip(state.values, longer.values, strict=False))
    _, carried = read(layer, x[:, 45:48], [1, 1, 1], state=longer, before=45)
    assert [k.shape[1] for k in carried.keys] == [32, 16]
    assert carried.keys[0] is state.keys[0]
    assert torch.equal(carried.keys[1][:, :8], state.keys[1])


@pytest.mark.parametrize("window", [1, 2, 7, 12, 64])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_window_bounds_the_cache_and_the_memory_behind_it(window, batch):
    """Also after one long chunk: a slice that were a view would keep all of it alive."""
    layer = built(window)
    for sizes in ([300], [100, 100, 100], [250, *[1] * 50]):
        _, state = read(layer, noise(batch, 300, WIDTH), sizes)
        held = sum(k.shape[1] for k in state.keys)
        assert window - 1 <= held <= window - 1 + max(1, window // 4) - 1
        for _, tensor in leaves(state):
            assert tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()


# -------------------------------------------------------------------------------------------------------- who sees whom


@pytest.mark.parametrize("window", [1, 3, 8, None])
@pytest.mark.parametrize("sizes", [[20], [1] * 20, [7, 1, 12]], ids=["whole", "steps", "chunks"])
def test_a_token_sees_itself_and_the_window_before_it(window, sizes):
    layer = built(window)
    x, place = noise(1, 20, WIDTH), 6
    changed = x.clone()
    changed[:, place] = noise(1, WIDTH, seed=9)
    before, after = read(layer, x, sizes)[0], read(layer, changed, sizes)[0]
    moved = ((before - after).abs().amax(-1) > 1e-6)[0].tolist()
    last = 20 if window is None else place + window
    assert moved == [place <= t < last for t in range(20)]


@pytest.mark.parametrize("sizes", [[18], [1] * 18, [5, 13]], ids=["whole", "steps", "chunks"])
@pytest.mark.parametrize("window", [4, None])
def test_a_document_does_not_see_the_one_before(sizes, window):
    """Row 0 has a document that starts at 7, row 1 has one document: other boundaries in one batch."""
    layer, x = built(window), noise(2, 18, WIDTH)
    oldest = torch.zeros(2, 18, dtype=torch.long)
    oldest[0, 7:] = 7
    out = read(layer, x, sizes, oldest=oldest)[0]
    alone = torch.cat([read(layer, x[:1, :7])[0], read(layer, x[:1, 7:])[0]], 1)  # rotation knows distances alone
    torch.testing.assert_close(out[:1], alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(out[1:], read(layer, x[1:])[0], atol=1e-5, rtol=0)


def test_a_document_may_start_in_an_earlier_chunk_or_in_the_middle_of_one():
    model = GPT(vocab_size=11, boundary=0, width=WIDTH, depth=2, attention=SelfAttention(heads=HEADS)).build()
    tokens = torch.tensor([[4, 5, 0, 6, 7, 8, 0, 9, 1, 2]])
    with torch.no_grad():
        whole = model(tokens).logits
        for start, end in ((0, 2), (2, 6), (6, 10)):
            torch.testing.assert_close(whole[:, start:end], model(tokens[:, start:end]).logits, atol=1e-5, rtol=0)
        state, parts = None, []
        for part in tokens.split([4, 1, 3, 2], 1):
            output = model(part, state)
            state, parts = output.state, [*parts, output.logits]
        torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=0)
    assert state.document.tolist() == [6] and state.length.tolist() == [10]


# ---------------------------------------------------------------------------------------------------------------- forks


@pytest.mark.parametrize("window", [None, 6])
def test_two_continuations_of_one_state_do_not_disturb_each_other(window):
    layer, x = built(window), noise(1, 21, WIDTH)
    _, fork = read(layer, x)
    kept = [tensor.clone() for _, tensor in leaves(fork)]
    one, two = noise(1, 30, WIDTH, seed=1), noise(1, 30, WIDTH, seed=2)
    expected = [read(layer, torch.cat([x, more], 1))[0][:, 21:] for more in (one, two)]
    states, outputs = [fork, fork], [[], []]
    for step in range(30):
        for index, more in enumerate((one, two)):
            out, states[index] = read(layer, more[:, step : step + 1], state=states[index], before=21 + step)
            outputs[index].append(out)
    for index in (0, 1):
        torch.testing.assert_close(torch.cat(outputs[index], 1), expected[index], atol=1e-5, rtol=0)
    assert all(torch.equal(tensor, was) for (_, tensor), was in zip(leaves(fork), kept, strict=True))


def test_rows_of_a_cache_go_on_alone():
    layer, x = built(), noise(3, 12, WIDTH)
    whole, _ = read(layer, x)
    _, state = read(layer, x[:, :9])
    out, _ = read(layer, x[2:, 9:], state=select(state, slice(2, 3)), before=9)
    torch.testing.assert_close(out, whole[2:, 9:], atol=1e-5, rtol=0)


@torch.no_grad()
def test_queries_and_keys_are_normalised():
    """Their lengths carry nothing: weights three times as large give the same output. Those of the values do not."""
    layer, x = built(), noise(2, 9, WIDTH)
    before = read(layer, x)[0]
    layer.query.weight.mul_(3.0)
    layer.key.weight.mul_(5.0)
    torch.testing.assert_close(read(layer, x)[0], before, atol=1e-5, rtol=0)
    layer.value.weight.mul_(2.0)
    torch.testing.assert_close(read(layer, x)[0], 2.0 * before, atol=1e-5, rtol=0)
