"""State: what earlier tokens left behind, as a nested tuple of tensors, batch first.

A state is a NamedTuple (or plain tuple) of tensors and further states; nothing else. Because of that, detaching, moving,
selecting and saving a state are one-line maps over its leaves, the same for every model.
"""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

State = Any


def _rebuild(like: tuple, items: list) -> tuple:
    return type(like)(*items) if hasattr(like, "_fields") else tuple(items)


def tree_map(function: Callable[..., Tensor], state: State, *others: State) -> State:
    """``function`` applied to every tensor of ``state`` (and the tensors at the same place of ``others``)."""
    if isinstance(state, Tensor):
        return function(state, *others)
    return _rebuild(state, [tree_map(function, *items) for items in zip(state, *others, strict=True)])


def leaves(state: State, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every ``(path, tensor)`` of a state, in order."""
    if isinstance(state, Tensor):
        yield prefix, state
        return
    names = getattr(state, "_fields", range(len(state)))
    for name, item in zip(names, state, strict=True):
        yield from leaves(item, f"{prefix}.{name}" if prefix else str(name))


@functools.cache
def _larger(kind: type, name: str) -> Any:
    larger: Any = namedtuple(f"{kind.__name__}With{name.capitalize()}", (*kind._fields, name))  # ty: ignore
    larger.smaller = kind
    return larger


def with_item(state: State, name: str, item: State) -> State:
    """A NamedTuple with one more field, its last: the paths of the others stay what they are without it."""
    return _larger(type(state), name)(*state, item)


def without_item(state: State) -> tuple[State, State]:
    """What :func:`with_item` made, in its two parts again."""
    return type(state).smaller(*state[:-1]), state[-1]


def detach(state: State) -> State:
    """The same values, cut from the graph: where truncated back-propagation through time is truncated."""
    return tree_map(Tensor.detach, state)


def clone(state: State) -> State:
    return tree_map(lambda tensor: tensor.detach().clone(), state)


def to(state: State, device: torch.device | str) -> State:
    return tree_map(lambda tensor: tensor.to(device), state)


def select(state: State, rows: Any) -> State:
    """The rows (sequences) of a state, by index, slice or mask."""
    return tree_map(lambda tensor: tensor[rows], state)


def concatenate(states: list[State]) -> State:
    """One state of all the sequences of several states."""
    return tree_map(lambda *tensors: torch.cat(tensors), *states)


def size(state: State) -> int:
    """Bytes held by a state."""
    return sum(tensor.numel() * tensor.element_size() for _, tensor in leaves(state))


def flatten(state: State) -> dict[str, Tensor]:
    """``{path: tensor}``, for saving."""
    return {path: tensor.contiguous() for path, tensor in leaves(state)}


def unflatten(like: State, tensors: dict[str, Tensor], prefix: str = "") -> State:
    """A state saved by :func:`flatten`, in the form of ``like``.

    A plain tuple of tensors may have grown or shrunk since ``like`` was made (a cache that gained segments): its length is
    read from the paths. A tuple of states keeps its length, for a state may hold no tensor at all (a cache still empty).
    """
    if isinstance(like, Tensor):
        return tensors[prefix]
    dot = f"{prefix}." if prefix else ""
    if hasattr(like, "_fields"):
        return _rebuild(
            like, [unflatten(item, tensors, f"{dot}{name}") for name, item in zip(like._fields, like, strict=True)]
        )
    found = {int(path[len(dot) :].split(".")[0]) for path in tensors if path.startswith(dot)}
    indices = sorted(found | {i for i, item in enumerate(like) if not isinstance(item, Tensor)})
    items = {i: like[i] if i < len(like) else torch.empty(0) for i in indices}
    return tuple(unflatten(items[i], tensors, f"{dot}{i}") for i in indices)
