"""Real Sam's engine: a compiled token loop that touches only what fires.

What a token drives the first block with is looked up, not computed. In each block ``fc_in`` and the gate read the continuous
residual stream, so they are dense; the recurrent product and ``fc_out`` are sums over spikes. Logits are computed as far as
the choice of a token needs them (:mod:`wetware.kernels.compiled.readout`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from wetware.layers import InputGate, NeuronGate, ResidualOutput, RMSNorm
from wetware.models.engines.compiled import CompiledEngine, unfit
from wetware.models.engines.packing import neurons, packed, rows, stacked
from wetware.models.real_sam import RealSamModel, RealSamState
from wetware.modulation import NEUTRAL
from wetware.state import with_item


def refuses(model: RealSamModel, batch: int = 1, weights: str = "float32") -> str | None:
    """Why this model cannot have this engine, or None."""
    block, config = model.config.block, model.config
    if reason := unfit(model, block.neuron, config.encoder.bits, weights):
        return reason
    if block.gate is not None and not isinstance(block.gate, (InputGate, NeuronGate)):
        return f"knows InputGate and NeuronGate, got {type(block.gate).__name__}"
    if not isinstance(block.output, ResidualOutput) or not isinstance(block.norm, RMSNorm):
        return f"knows a normalised residual stream, got {type(block.output).__name__} and {type(block.norm).__name__}"
    if config.membranes:
        return "reads the stream only, and this model's readout reads membranes too"
    if model.surprise:
        return "has one stress for a text, and this model's follows its surprise"
    if block.currents is not None:
        return f"knows currents as they are, got {type(block.currents).__name__}"
    return None


class RealSamEngine(CompiledEngine):
    """See the top of this file."""

    @torch.no_grad()
    def __init__(self, model: RealSamModel, batch: int = 1, weights: str = "float32") -> None:
        from wetware.models.engines import real_sam_loop as loop

        super().__init__(model.encoder.table.detach(), compiled(model, weights), loop, batch)

    @property
    def state(self) -> RealSamState:
        layers: tuple[Any, ...] = self._layers()
        if len(self._weights.late):
            underway = self._memory.underway
            pairs = zip(layers, underway, strict=True)
            layers = tuple(with_item(layer, "underway", torch.from_numpy(sent.copy())) for layer, sent in pairs)
        return RealSamState(layers)


def compiled(model: RealSamModel, weights: str) -> Any:
    """The ``Weights`` of the loop."""
    from wetware.models.engines.real_sam_loop import Weights

    blocks, config = list(model.blocks), model.config
    gate = config.block.gate
    with_input = isinstance(gate, InputGate)
    dense = [packed(block.fc_in.weight, weights) for block in blocks]
    if with_input:
        downs = [packed(block.gate.down.weight, weights) for block in blocks]
        dense = [tuple(map(np.concatenate, zip(*pair, strict=True))) for pair in zip(dense, downs, strict=True)]
    delays = config.block.delays
    late = delays.of_channels(config.width).numpy() if delays else np.zeros(0, np.int64)
    up = [packed(block.gate.up.weight, weights) for block in blocks] if with_input else []
    recurrent = [rows(block.fc_rec.t(), weights) for block in blocks] if config.block.recurrence else []
    none = np.zeros((0, 1, 1, 32), np.float32), np.zeros((1, config.width), np.float32)
    nobody = np.zeros((0, 1, 1), np.float32), np.zeros((len(blocks), config.width), np.float32)
    if gate is None:
        gates = [torch.ones(config.width) for _ in blocks]
    else:
        gates = [block.gate.bias if with_input else torch.sigmoid(block.gate.bias) for block in blocks]
    return Weights(
        model.encoder(torch.arange(config.vocab_size)[None])[0].numpy(),
        *stacked(dense),
        late,
        *(stacked(up) if up else none),
        torch.stack(gates).numpy(),
        *(stacked(recurrent) if recurrent else nobody),
        *stacked([rows(block.fc_out.weight, weights) for block in blocks]),
        *neurons([(block.params(NEUTRAL), block.neuron.config) for block in blocks]),
        *packed(model.readout.out.weight, weights),
        np.float32(model.readout.scale.item()),
        np.float32(config.block.neuron.reset.bound or 0.0),
        -1 if config.boundary is None else config.boundary,
    )
