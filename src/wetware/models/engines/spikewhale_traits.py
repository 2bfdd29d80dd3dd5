"""SpikeWhale's engine where traits change vectors: layers and choice are compiled, traits are called as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.kernels import rms_norm
from wetware.models.dice import Dice
from wetware.models.engines.engine import rounded
from wetware.models.engines.spikewhale import SpikeWhaleEngine
from wetware.models.language_model import keep_mask
from wetware.models.spikewhale import SpikeWhaleModel, SpikeWhaleState
from wetware.neurons import Activity
from wetware.traits import Context, Site


class SpikeWhaleTraitsEngine(SpikeWhaleEngine):
    """See the top of this file. Layers with a trait at the token vectors take these in; else their tokens."""

    def __init__(self, model: SpikeWhaleModel, batch: int = 1, weights: str = "float32") -> None:
        super().__init__(model, batch, weights)
        self._model: Any = rounded(model, weights)
        self._remembered: dict[str, Any] = self._empty.traits._asdict()
        self._at_input = any(True for _ in model.trait_at(Site.INPUT))

    @property
    def state(self) -> SpikeWhaleState:
        return super().state._replace(traits=self._empty.traits._replace(**self._remembered))

    @torch.inference_mode()
    def _take(self, tokens: np.ndarray) -> None:
        model, given = self._model, torch.from_numpy(tokens)
        keep = keep_mask(given, model.config.boundary, model.table)
        context = Context(given, keep, model.table, model.logits)
        x = torch.zeros(self.batch, 0, 0)
        if self._at_input:
            x = model.table[given] / model.config.token_unit
            x, self._remembered = model.through(Site.INPUT, x, context, self._remembered, {})
        z, activity = self._layers_of(tokens, x)
        z, self._remembered = model.through(
            Site.READOUT, model.readout.hidden(z), context._replace(activity=activity), self._remembered, {}
        )
        self._memory.features[...] = (rms_norm(z[:, -1]) * model.readout.scale).numpy()

    def _layers_of(self, tokens: np.ndarray, x: Tensor) -> tuple[Tensor, tuple[Activity, ...]]:
        """``tokens`` [B, T], driven by ``x`` [B, T, E] if there is any, through the layers: z [B, T, E] and their activity."""
        from wetware.models.engines.spikewhale_loop import pass_layers

        layers, (batch, steps) = self._weights.decay.shape, tokens.shape
        z = np.empty((batch, steps, self._table.shape[1]), np.float32)
        before, fired = (np.empty((layers[0], batch, steps, layers[1]), np.float32) for _ in range(2))
        self._run(steps if steps == 1 else 0, pass_layers, tokens, x.contiguous().numpy(), z, before, fired)
        activity = tuple(Activity(torch.from_numpy(s), torch.from_numpy(m)) for s, m in zip(fired, before, strict=True))
        return torch.from_numpy(z), activity

    def _write(self, written: np.ndarray, stop: int, dice: Dice, seen: np.ndarray, options: tuple) -> int:
        for step in range(written.shape[1]):
            now = written[:, step].copy()
            numbers = (np.uint64(dice.seed), np.uint64(dice.draws + step))
            self._run(0, self._loop.pick, self._screen, seen, *options, *numbers, now)
            written[:, step] = now
            self._take(now[:, None])
            if self.batch == 1 and now[0] == stop:
                return step + 1
        return written.shape[1]
