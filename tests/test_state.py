"""States: one-line maps over nested tuples of tensors."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wetware.layers import SelfAttention
from wetware.models import GPT
from wetware.state import clone, concatenate, detach, flatten, leaves, select, size, to, tree_map, unflatten


class Cell(NamedTuple):
    membrane: Any
    cache: tuple


class Whole(NamedTuple):
    layers: tuple[Cell, ...]
    length: torch.Tensor


def numbers(*shape):
    return torch.arange(float(torch.Size(shape).numel())).reshape(shape)


def state(layers=2, segments=2, batch=3):
    cells = tuple(Cell(numbers(batch, 2) + i, tuple(numbers(batch, 4) for _ in range(segments))) for i in range(layers))
    return Whole(cells, torch.arange(batch))


def same(a, b):
    """Equal, and of the same form to the last type."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))


def test_leaves_are_named_in_order():
    names = [name for name, _ in leaves(state(layers=1))]
    assert names == ["layers.0.membrane", "layers.0.cache.0", "layers.0.cache.1", "length"]
    assert [name for name, _ in leaves(numbers(2))] == [""]


def test_tree_map_keeps_the_form():
    mapped = tree_map(lambda tensor: tensor + 1, state())
    assert isinstance(mapped, Whole) and isinstance(mapped.layers[1], Cell) and type(mapped.layers) is tuple
    assert torch.equal(mapped.length, torch.tensor([1, 2, 3]))
    assert same(tree_map(torch.add, state(), state()), tree_map(lambda tensor: 2 * tensor, state()))


def test_states_of_different_form_do_not_fit():
    with pytest.raises(ValueError):
        tree_map(torch.add, state(segments=2), state(segments=1))


def test_detach_cuts_and_shares_clone_cuts_and_copies():
    weight = torch.ones(2, requires_grad=True)
    grown = Cell(2.0 * weight, ())
    assert not detach(grown).membrane.requires_grad
    assert detach(grown).membrane.data_ptr() == grown.membrane.data_ptr()
    copy = clone(grown)
    assert not copy.membrane.requires_grad and copy.membrane.data_ptr() != grown.membrane.data_ptr()


@pytest.mark.parametrize(
    "rows", [[2, 0], slice(1, 3), torch.tensor([True, False, True])], ids=["index", "slice", "mask"]
)
def test_select(rows):
    chosen = select(state(), rows)
    assert torch.equal(chosen.length, torch.arange(3)[rows])
    assert torch.equal(chosen.layers[1].cache[0], numbers(3, 4)[rows])


def test_concatenate_undoes_select():
    whole = state()
    assert same(concatenate([select(whole, slice(0, 1)), select(whole, slice(1, 3))]), whole)


def test_size_and_to():
    cell = Cell(torch.zeros(3, 4), (torch.zeros(3, dtype=torch.long),))
    assert size(cell) == 12 * 4 + 3 * 8
    assert same(to(cell, "cpu"), cell)
    assert to(cell, "meta").membrane.is_meta


@given(st.integers(0, 3), st.integers(0, 12), st.integers(0, 12))
def test_flat_and_back_whatever_the_cache_grew_to(layers, before, after):
    saved = state(layers, segments=after)
    assert same(unflatten(state(layers, segments=before), flatten(saved)), saved)


def test_flat_tensors_can_be_saved():
    flat = flatten(Cell(numbers(4, 3).T, ()))
    assert flat["membrane"].is_contiguous() and torch.equal(flat["membrane"], numbers(4, 3).T)


@pytest.mark.parametrize("window", [1, 5, None])
def test_a_model_goes_on_from_a_flat_state(window):
    """With a window of one token the caches stay empty: layers without any tensor must come back as layers."""
    model = GPT(vocab_size=9, width=8, depth=2, attention=SelfAttention(heads=2, window=window)).build()
    for steps in (0, 1, 7, 12):
        before = model.init_state(2)
        if steps:
            before = model(torch.arange(2 * steps).reshape(2, steps) % 9, before).state
        after = unflatten(model.init_state(2), flatten(before))
        assert same(after, before)
        token = torch.tensor([3, 4])
        assert torch.equal(model.step(token, after).logits, model.step(token, before).logits)
