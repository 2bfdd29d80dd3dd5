"""Derived: made once while nobody changes a parameter, anew otherwise; engines hold what is theirs."""

import pytest
import torch
from torch import nn

import wetware
from wetware.derived import made_once, unchanged
from wetware.models.engines import ForwardEngine
from wetware.synapses.vesicle_release import Vesicles


def test_made_once_while_unchanged_and_anew_otherwise():
    owner, other, calls = nn.Linear(2, 2), nn.Linear(2, 2), []

    def make():
        calls.append(len(calls))
        return calls[-1]

    assert [made_once(owner, "a", make) for _ in range(2)] == [0, 1]
    kept = {}
    with unchanged(kept):
        assert [made_once(owner, "a", make) for _ in range(2)] == [2, 2]
        assert made_once(other, "a", make) == 3 and made_once(owner, "b", make) == 4
        with unchanged({}):
            assert made_once(owner, "a", make) == 5
    assert made_once(owner, "a", make) == 6
    with unchanged(kept):
        assert made_once(owner, "a", make) == 2
    with pytest.raises(ZeroDivisionError), unchanged({}):
        1 / 0  # noqa: B018
    assert made_once(owner, "a", make) == 7


def test_an_engine_derives_once_and_the_next_one_sees_other_parameters(monkeypatch):
    """Training between two engines must show in the second."""
    model, calls = wetware.tiny("bio_nanochat").build(seed=0), []
    made = Vesicles.kinetics
    monkeypatch.setattr(Vesicles, "kinetics", lambda self: calls.append(self) or made(self))
    text = torch.tensor([[3, 5, 8, 13, 21, 34]])

    def read(by):
        for token in text.unbind(1):
            by.read(token[:, None])
        return by.logits().clone()

    before = read(ForwardEngine(model))
    assert len(calls) == len(model.blocks)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.1)
    after = read(ForwardEngine(model))
    with torch.no_grad():
        expected = model(text).logits[:, -1]
    torch.testing.assert_close(after, expected, atol=1e-4, rtol=1e-4)
    assert (after - before).abs().max() > 1e-2
