"""A small SpikeWhale with a trait that shows something, and its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

import wetware
from wetware.parameters import NEURON, filled, parameter
from wetware.traits import Context, Passed, Place, Trait, TraitConfig


@dataclass(frozen=True, kw_only=True)
class Louder(TraitConfig):
    """A trait of these tests: y = (1 + a) x."""

    def build(self, place: Place) -> Trait:
        return _Louder()


class _Louder(Trait):
    def __init__(self) -> None:
        super().__init__()
        self.a = parameter(1, draw=filled(0.7), role=NEURON)

    def forward(self, hidden: Tensor, state: Any, context: Context) -> Passed:
        shift = torch.zeros_like(hidden)
        shift[..., 0] = self.a
        return Passed(hidden + shift, state)

    def trace(self, hidden: Tensor, state: Any, context: Context) -> Mapping[str, Tensor]:
        return {"token": context.tokens.float(), "size": hidden.square().mean(-1)}


@pytest.fixture(scope="session")
def whale(subject):
    """A subject: a tiny SpikeWhale that fires, with the trait."""
    return subject(replace(wetware.tiny("spikewhale"), traits=(Louder(),)))
