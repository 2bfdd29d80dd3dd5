"""What compiled engines have in common: compiled loops read texts, choose tokens and write them, on one thread or several."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.kernels.compiled import why_not
from wetware.kernels.lif_scan import LIFState
from wetware.models.dice import Dice
from wetware.models.engines.engine import WEIGHTS, Engine
from wetware.models.engines.pace import Pace
from wetware.models.sampling import Sampling
from wetware.neurons import LIF

PARTS = 2
"""How many threads may share a single sequence. More would wait more than they work."""

WIDEST = 60_000  # numbers of a token's vector: their int8 products must add up in 32 bits


def unfit(model: Any, neuron: Any, width: int, weights: str) -> str | None:
    """Why no compiled engine takes a model with such neurons, token vectors of this width and such weights, or None."""
    if reason := why_not():
        return reason
    first = next(model.parameters())
    if first.device.type != "cpu" or first.dtype != torch.float32:
        return f"needs float32 on the CPU, got {first.dtype} on {first.device.type}"
    if not isinstance(neuron, LIF):
        return f"knows LIF neurons only, got {type(neuron).__name__}"
    if width > WIDEST:
        return f"a token has {width} numbers, and its readout adds up {WIDEST} at most"
    return None if weights in WEIGHTS else f"weights may be {', '.join(WEIGHTS)}, got {weights!r}"


class CompiledEngine(Engine):
    """An engine whose work is done by :mod:`wetware.models.engines.loop`. Raises ValueError for tokens that do not exist.

    Args:
        table: [V, E] of token vectors that features are multiplied with.
        weights: the ``Weights`` of the model's loop.
        loop: the module of that loop: ``empty_memory(weights, batch, width, parts)`` and ``make_room(weights, screen, batch,
            parts)``.
    """

    def __init__(self, table: Tensor, weights: Any, loop: Any, batch: int) -> None:
        from wetware.kernels.compiled.arena import together
        from wetware.kernels.compiled.readout import screen
        from wetware.models.engines import loop as shared

        self.batch, self._loop, self._vocab_size = batch, shared, len(table)
        self._weights, self._screen = together(weights, screen(table.numpy()))
        self._table = torch.from_numpy(self._screen.table)
        parts = PARTS if batch == 1 else 1
        self._memory = loop.empty_memory(self._weights, batch, table.shape[1], parts)
        self._room = loop.make_room(self._weights, self._screen, batch, parts)
        self._pace = Pace(parts)
        self._read = False

    def _layers(self) -> tuple[LIFState, ...]:
        """The state of each layer of neurons."""
        memory, layers = self._memory, []
        for membrane, ids, counts in zip(memory.membrane, memory.ids[0], memory.counts[0], strict=True):
            spikes = np.zeros_like(membrane)
            for row, (places, count) in enumerate(zip(ids, counts, strict=True)):
                spikes[row, places[:count]] = 1.0
            layers.append(LIFState(torch.from_numpy(membrane.copy()), torch.from_numpy(spikes)))
        return tuple(layers)

    def _run(self, count: int, kernel: Any, *arguments: Any) -> Any:
        """``kernel`` over all sequences, by threads that each have some of them, or that share the only one; its result."""
        from wetware.kernels.compiled import threads

        results: list[Any] = []

        def alone(first: int, last: int) -> None:
            results.append(kernel(self._weights, self._memory, self._room, *arguments, first, last, 0, 1))

        def shared(part: int) -> None:
            results.append(kernel(self._weights, self._memory, self._room, *arguments, 0, 1, part, parts))

        parts = self._pace.parts()
        with self._pace.timed(parts, count):
            if parts > 1:
                self._room.desk.counter[0] = 0
                self._memory.ids[1:], self._memory.counts[1:] = self._memory.ids[0], self._memory.counts[0]
            if parts == 1 or not threads.together(shared, parts):
                threads.run(alone, threads.shares(self.batch))
        return results[0]

    def read(self, tokens: Tensor) -> None:
        if tokens.ndim != 2 or len(tokens) != self.batch:
            raise ValueError(f"tokens: expected [{self.batch}, T], got {list(tokens.shape)}")
        array = np.ascontiguousarray(tokens.numpy(), np.int64)
        if array.size and not 0 <= array.min() <= array.max() < self._vocab_size:
            raise ValueError(f"tokens from {array.min()} to {array.max()}: allowed 0 to {self._vocab_size - 1}")
        if array.size:
            self._take(array)
            self._read = True

    def _take(self, tokens: np.ndarray) -> None:
        """Take ``tokens`` [B, T], which exist, in."""
        self._run(0, self._loop.read, tokens)  # not timed: reading is less work than writing

    def logits(self) -> Tensor:
        assert self._read, "nothing has been read yet"
        return torch.from_numpy(self._memory.features) @ self._table.T

    def write(self, count: int, sampling: Sampling, dice: Dice, seen: Tensor, stop: int | None = None) -> Tensor:
        assert self._read, "nothing has been read yet"
        every = sampling.top_k is None or sampling.top_k >= self._vocab_size
        if sampling.temperature > 0 and sampling.top_p < 1.0 and every:
            # which tokens hold a share of the probability cannot be known without all of them
            return self._write_from_all(count, sampling, dice, seen, stop)
        written = np.zeros((self.batch, count), np.int64)
        options = (sampling.repetition_penalty, sampling.temperature, sampling.top_k or 0, sampling.top_p)
        done = self._write(written, -1 if stop is None else stop, dice, seen.numpy(), options)
        dice.draws += done if sampling.temperature > 0 else 0  # the most likely token needs no noise
        return torch.from_numpy(written[:, :done])

    def _write(self, written: np.ndarray, stop: int, dice: Dice, seen: np.ndarray, options: tuple) -> int:
        """Fill ``written`` [B, count] with tokens; gives how many were chosen."""
        numbers = (np.uint64(dice.seed), np.uint64(dice.draws), stop)
        return self._run(written.shape[1], self._loop.write, self._screen, seen, *options, *numbers, written)

    def _write_from_all(self, count: int, sampling: Sampling, dice: Dice, seen: Tensor, stop: int | None) -> Tensor:
        written = []
        for _ in range(count):
            token = sampling.choose(self.logits(), seen, dice)
            self.read(token[:, None])
            seen[torch.arange(self.batch), token] = True
            written.append(token)
            if self.batch == 1 and stop is not None and int(token) == stop:
                break
        return torch.stack(written, 1) if written else seen.new_zeros(self.batch, 0, dtype=torch.long)
