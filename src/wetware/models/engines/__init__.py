"""Engines: how tokens are read and written, one after the other. ``engines(model, batch, weights)`` gives the fastest that the
model can have; ``engines.explain(model, batch, weights)`` says which, and why not another."""

from wetware.kernels import Choice
from wetware.models.engines import real_sam
from wetware.models.engines.drafting import DraftingEngine
from wetware.models.engines.engine import WEIGHTS, Engine, ForwardEngine, rounded

engines = Choice("generation", ForwardEngine)
engines.backend("numba", real_sam.refuses)(real_sam.build)

__all__ = ["WEIGHTS", "DraftingEngine", "Engine", "ForwardEngine", "engines", "rounded"]
