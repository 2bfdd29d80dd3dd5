"""Compiled loops have no bounds checks, so a backend must refuse what does not fit together: otherwise it reads and writes
memory that is not its own."""

from __future__ import annotations

import pytest
import torch

import wetware
from wetware.kernels import OPS, Refused


def in_float32(value):
    if isinstance(value, torch.Tensor):
        return value.float() if value.is_floating_point() else value
    return type(value)(*map(in_float32, value)) if isinstance(value, tuple) else value


def shortened(value):
    """Every way to take the last element of one dimension, or a whole dimension, from one of the tensors in ``value``."""
    if isinstance(value, torch.Tensor):
        for dimension in (place for place in range(value.ndim) if value.shape[place]):
            yield value.narrow(dimension, 0, value.shape[dimension] - 1)
            yield value.select(dimension, 0)
            yield value.narrow(dimension, 0, 1)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            for other in shortened(item):
                items = [*value[:index], other, *value[index + 1 :]]
                yield type(value)(*items) if hasattr(value, "_fields") else tuple(items)


def flat(value):
    if value is None:
        return []
    return [value] if isinstance(value, torch.Tensor) else [leaf for item in value for leaf in flat(item)]


@pytest.mark.parametrize("op", [op for op in OPS.values() if "numba" in op.backends], ids=lambda op: op.name)
def test_what_does_not_fit_is_refused(op):
    """Whatever numba takes, the reference takes, with the same result."""
    taken = []
    for case in op.cases():
        given = tuple(in_float32(value) for value in case.args)
        keywords = {name: in_float32(value) for name, value in case.keywords.items()}
        if op.backends["numba"].refuses(*given, **keywords) is None:
            taken.append((sum(x.numel() for x in flat([arg for arg in given if arg is not None])), given, keywords))
    _, given, keywords = max(taken, key=lambda each: each[0])
    refused = 0
    for args in shortened(given):
        if reason := op.backends["numba"].refuses(*args, **keywords):
            refused += 1
            assert reason.strip()
            continue
        try:
            mine = op.backends["numba"].run(*args, **keywords)
        except IndexError:  # a target that is no token any more
            continue
        for a, b in zip(flat(mine), flat(op.reference(*args, **keywords)), strict=True):
            assert a.shape == b.shape
            torch.testing.assert_close(a, b, atol=1e-4 * max(1.0, float(b.abs().max())), rtol=0)
    assert refused or len(given) == 1


def test_a_width_that_does_not_fit_is_refused():
    case = next(iter(OPS["lif_scan"].cases()))
    args = tuple(in_float32(value) for value in case.args)
    keywords = {**case.keywords, "width": torch.ones(args[0].shape[-1] + 1)}
    with OPS["lif_scan"].using("numba"), pytest.raises(Refused, match="needs width of"):
        OPS["lif_scan"](*args, **keywords)


def test_a_state_of_another_batch():
    """It once broke the heap; now it is what PyTorch says it is."""
    model = wetware.tiny("real_sam").build(seed=0)
    text = torch.zeros(3, 4, dtype=torch.long)
    with pytest.raises(RuntimeError, match="size"):
        model(text, model.init_state(2))
    one = model(text, model.init_state(1))  # broadcast
    torch.testing.assert_close(one.logits, model(text).logits)
