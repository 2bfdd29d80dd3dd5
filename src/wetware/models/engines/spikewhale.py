"""SpikeWhale's engine: a compiled token loop that touches only what fires.

What a token drives the first layer with is looked up, not computed. All that comes after is sums over spikes, but for the
readout of the membranes, which is dense. Logits are computed as far as the choice of a token needs them
(:mod:`wetware.kernels.compiled.readout`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.layers import NormalisedReadout
from wetware.models.engines.compiled import CompiledEngine, unfit
from wetware.models.engines.engine import restored
from wetware.models.engines.packing import neurons, packed, rows, stacked
from wetware.models.spikewhale import SpikeWhaleModel, SpikeWhaleState
from wetware.traits import Site

LARGEST = 64_000_000
"""Numbers of the table of currents, tokens times neurons: a larger one would cost more memory than it saves time."""


def refuses(model: SpikeWhaleModel, batch: int = 1, weights: str = "float32") -> str | None:
    """Why this model cannot have this engine, or None."""
    if not isinstance(model.config.readout, NormalisedReadout):
        return f"knows NormalisedReadout only, got {type(model.config.readout).__name__}"
    return unfit(model, model.config.neuron, model.config.embedding, weights)


def build(model: SpikeWhaleModel, batch: int = 1, weights: str = "float32") -> SpikeWhaleEngine:
    from wetware.models.engines.spikewhale_traits import SpikeWhaleTraitsEngine

    alone = all(trait.only_losses for trait in model.config.traits)
    return (SpikeWhaleEngine if alone else SpikeWhaleTraitsEngine)(model, batch, weights)


class SpikeWhaleEngine(CompiledEngine):
    """See the top of this file; of a model whose traits, if any, change no vector."""

    @torch.no_grad()
    def __init__(self, model: SpikeWhaleModel, batch: int = 1, weights: str = "float32") -> None:
        from wetware.models.engines import spikewhale_loop as loop

        super().__init__(model.table.detach(), compiled(model, weights), loop, batch)
        self._weights = self._weights._replace(vectors=self._screen.table)
        self._empty = model.init_state(batch)

    @property
    def state(self) -> SpikeWhaleState:
        leaks = self._weights.leak.size > 0
        readout = torch.from_numpy(self._memory.readout.copy()) if leaks else ()
        return self._empty._replace(layers=self._layers(), readout=readout)


def compiled(model: Any, weights: str) -> Any:
    """The ``Weights`` of the loop."""
    from wetware.models.engines.spikewhale_loop import Weights

    layers, config = list(model.layers), model.config
    bias = torch.stack([layer.bias for layer in layers])
    readout, readout_scale = packed(model.readout.out.weight, weights)
    nobody = np.zeros((0, 1, 1), readout.dtype), np.zeros((config.depth, config.width), np.float32)
    inputs = [rows(layer.fc_in.weight, weights) for layer in layers[1:]]
    inputs = [(matrix, scale * np.float32(config.input_gain)) for matrix, scale in inputs]
    recurrent = [rows(layer.fc_rec.t(), weights) for layer in layers] if config.recurrence else []
    leak = torch.sigmoid(model.leak.logit).numpy() if config.readout_decay else np.zeros(0, np.float32)
    return Weights(
        *_entrance(model, bias[0], weights),
        *(stacked(inputs) if inputs else nobody),
        bias.numpy(),
        *(stacked(recurrent) if recurrent else nobody),
        *neurons([(p, layer.neuron.config) for p, layer in zip(model.neuron_params(), layers, strict=True)]),
        readout,
        readout_scale,
        leak,
        np.float32(1.0 / config.token_unit),
        np.float32(model.readout.scale.item()),
        np.float32(config.neuron.reset.bound or 0.0),
        -1 if config.boundary is None else config.boundary,
    )


def _entrance(
    model: SpikeWhaleModel, bias: Tensor, weights: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """How tokens reach the first layer: by the table of their currents or by the matrix that makes these; the other is empty.
    The vectors of the tokens are left empty too: the engine has them already."""
    matrix, table = model.layers[0].fc_in.weight, model.table
    panels, scale = packed(matrix, weights)
    nothing = np.zeros((0, table.shape[1]), np.float32)
    changed = any(not trait.only_losses for trait in model.config.traits if trait.site is Site.INPUT)
    if changed or len(table) * len(matrix) > LARGEST:
        return np.zeros((0, len(matrix)), np.float32), nothing, panels, scale
    currents = (table / model.config.token_unit) @ restored(matrix, weights).T + bias
    return currents.numpy(), nothing, panels[:0], scale
