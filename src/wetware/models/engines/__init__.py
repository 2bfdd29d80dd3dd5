"""Engines: how tokens are read and written, one after the other. ``engines(model, batch, weights)`` gives the fastest that the
model can have; ``engines.explain(model, batch, weights)`` says which, and why not another."""

from collections.abc import Callable
from typing import Any

from wetware.kernels import Choice
from wetware.models.engines import real_sam, spikewhale
from wetware.models.engines.compiled import CompiledEngine
from wetware.models.engines.drafting import DraftingEngine
from wetware.models.engines.engine import WEIGHTS, Engine, ForwardEngine, rounded
from wetware.models.real_sam import RealSamModel
from wetware.models.spikewhale import SpikeWhaleModel

COMPILED: dict[type, tuple[Callable[..., str | None], Callable[..., CompiledEngine]]] = {
    RealSamModel: (real_sam.refuses, real_sam.RealSamEngine),
    SpikeWhaleModel: (spikewhale.refuses, spikewhale.build),
}
"""The compiled engine of a model: why it refuses, and what makes it."""


def _refuses(model: Any, batch: int = 1, weights: str = "float32") -> str | None:
    if type(model) not in COMPILED:
        known = " and ".join(kind.__name__.removesuffix("Model") for kind in COMPILED)
        return f"it is for {known}, and this is a {type(model.config).__name__}"
    return COMPILED[type(model)][0](model, batch, weights)


engines = Choice("generation", ForwardEngine)


@engines.backend("numba", _refuses)
def _build(model: Any, batch: int = 1, weights: str = "float32") -> CompiledEngine:
    return COMPILED[type(model)][1](model, batch, weights)


__all__ = ["WEIGHTS", "DraftingEngine", "Engine", "ForwardEngine", "engines", "rounded"]
