"""What the tests of traits share: a trait that stands alone, and what it may look at."""

from __future__ import annotations

import torch
from torch import Tensor

from wetware.neurons import Activity
from wetware.parameters import initialize
from wetware.traits import Context, Place, Trait, TraitConfig

PLACE = Place(width=12, neurons=20, layers=2, vocab_size=17, boundary=0)


def alone(config: TraitConfig, seed: int = 0) -> Trait:
    """The trait, its parameters moved off their start so that no gate hides anything."""
    trait = config.build(PLACE)
    initialize(trait, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in trait.parameters():
            parameter.add_(0.3 * torch.empty_like(parameter).normal_(generator=generator))
    return trait


def context(batch: int = 2, steps: int = 9, seed: int = 0, starts: tuple[tuple[int, int], ...] = ()) -> Context:
    """Random tokens and membranes; documents start at the (row, token) of ``starts``."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(1, PLACE.vocab_size, (batch, steps), generator=generator)
    for row, token in starts:
        tokens[row, token] = 0
    table = torch.randn(PLACE.vocab_size, PLACE.width, generator=generator)
    membrane = torch.randn(PLACE.layers, batch, steps, PLACE.neurons, generator=generator)
    activity = tuple(Activity((layer >= 1).float(), layer) for layer in membrane)
    return Context(tokens, (tokens != 0).float(), table, lambda hidden: hidden @ table.T, activity)


def vectors(batch: int = 2, steps: int = 9, seed: int = 1) -> Tensor:
    return torch.randn(batch, steps, PLACE.width, generator=torch.Generator().manual_seed(seed))


def part(seen: Context, start: int, end: int) -> Context:
    """The tokens from ``start`` to ``end`` of a context."""
    activity = tuple(Activity(*(signal[:, start:end] for signal in layer)) for layer in seen.activity)
    return seen._replace(tokens=seen.tokens[:, start:end], keep=seen.keep[:, start:end], activity=activity)
