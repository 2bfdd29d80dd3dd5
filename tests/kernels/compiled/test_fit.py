"""Why compiled loops cannot take something: the name, what it is, what it should be."""

from __future__ import annotations

import torch

from wetware.kernels.compiled.fit import misshapen, unfit


def test_unfit():
    one, two = torch.zeros(2), torch.zeros(2, dtype=torch.float64)
    assert unfit({"a": one, "b": None, "c": one}, torch.float32) is None
    assert unfit({"a": two, "b": two}, torch.float32, torch.float64) is None
    assert unfit({"a": one, "b": two}, torch.float32) == "needs float32, got b of torch.float64"
    mixed = "needs float32 or float64 throughout, got b of torch.float64"
    assert unfit({"a": one, "b": two}, torch.float32, torch.float64) == mixed
    assert unfit({"a": one.to("meta")}, torch.float32) == "needs tensors on the CPU, got a on meta"


def test_misshapen():
    given = {"a": torch.zeros(2, 3), "b": None}
    assert misshapen(given, {"a": [2, 3], "b": [4]}) is None
    assert misshapen(given, {"a": [3, 2]}) == "needs a of [3, 2], got [2, 3]"
