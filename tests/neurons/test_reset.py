"""Resets: how much gradient goes through, and the bound."""

from __future__ import annotations

import pytest

from wetware.config import ConfigError, kinds, with_
from wetware.neurons import LIF, AttachedReset, DetachedReset
from wetware.neurons.reset import Reset


def test_through():
    assert DetachedReset.through == 0.0 and AttachedReset.through == 1.0
    assert set(kinds(Reset)) == {"DetachedReset", "AttachedReset"}


@pytest.mark.parametrize("bound", [0.0, -1.0, float("inf"), float("nan")])
def test_no_such_bound(bound):
    with pytest.raises(ConfigError, match="DetachedReset.bound"):
        DetachedReset(bound=bound)


def test_bound_by_text():
    assert with_(LIF(), "reset.bound", "30").reset == DetachedReset(bound=30.0)
    assert with_(LIF(reset=AttachedReset(bound=1.0)), "reset.bound", "none").reset == AttachedReset()
