"""Real Sam's engine: a compiled token loop that touches only what fires.

What a token drives the first block with is looked up, not computed. In each block ``fc_in`` and the gate read the continuous
residual stream, so they are dense; the recurrent product and ``fc_out`` are sums over spikes. Logits are computed as far as
the choice of a token needs them (:mod:`wetware.kernels.compiled.readout`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wetware.kernels.compiled import why_not
from wetware.kernels.lif_scan import LIFState
from wetware.layers import InputGate, NeuronGate
from wetware.models.dice import Dice
from wetware.models.engines.engine import WEIGHTS, Engine, quantised
from wetware.models.real_sam import RealSamModel, RealSamState
from wetware.models.sampling import Sampling
from wetware.modulation import NEUTRAL
from wetware.neurons import LIF

PARTS = 2
"""How many threads may share a single sequence. More would wait more than they work."""

WIDEST = 1000  # bits of a token's vector: their int8 products must add up exactly in 32 bits, and as a float


def refuses(model: Any, batch: int = 1, weights: str = "float32") -> str | None:
    """Why this model cannot have this engine, or None."""
    if reason := why_not():
        return reason
    if not isinstance(model, RealSamModel):
        return f"it is Real Sam's, and this is a {type(model.config).__name__}"
    first = next(model.parameters())
    if first.device.type != "cpu" or first.dtype != torch.float32:
        return f"needs float32 on the CPU, got {first.dtype} on {first.device.type}"
    block = model.config.block
    if not isinstance(block.neuron, LIF):
        return f"knows LIF neurons only, got {type(block.neuron).__name__}"
    if block.gate is not None and not isinstance(block.gate, (InputGate, NeuronGate)):
        return f"knows InputGate and NeuronGate, got {type(block.gate).__name__}"
    if model.config.encoder.bits > WIDEST:
        return f"a token has {model.config.encoder.bits} bits, and its readout adds up {WIDEST} at most"
    return None if weights in WEIGHTS else f"weights may be {', '.join(WEIGHTS)}, got {weights!r}"


def build(model: RealSamModel, batch: int = 1, weights: str = "float32") -> RealSamEngine:
    return RealSamEngine(model, batch, weights)


def _as_array(numbers: Tensor) -> np.ndarray:
    """bfloat16 as uint16, which is how compiled code knows it."""
    numbers = numbers.contiguous()
    return numbers.view(torch.int16).numpy().view(np.uint16) if numbers.dtype == torch.bfloat16 else numbers.numpy()


def _packed(matrix: Tensor, weights: str) -> tuple[np.ndarray, np.ndarray]:
    """[outputs, inputs] as panels of 32 outputs, and the scale of each output."""
    numbers, scale = quantised(matrix, weights)
    outputs, inputs = numbers.shape
    more = -outputs % 32
    padded = functional.pad(numbers.t(), (0, more, 0, -inputs % 4))
    panels = padded.reshape(len(padded), -1, 32).transpose(0, 1)
    return _as_array(panels), functional.pad(scale, (0, more)).numpy()


def _rows(matrix: Tensor, weights: str) -> tuple[np.ndarray, np.ndarray]:
    """[outputs, inputs] as [inputs, outputs], so that what one spike causes lies together, and the scale of each output."""
    numbers, scale = quantised(matrix, weights)
    return _as_array(numbers.t()), scale.numpy()


def _stacked(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    arrays, scales = zip(*pairs, strict=True)
    return np.stack(arrays), np.stack(scales)


class Pace:
    """Whether threads should share a sequence: as measured, for on a busy machine they wait for each other longer than they
    save. The result is the same to the last bit either way, so it may change at any time.

    Both ways are tried twice, then the faster one runs, and after every :data:`AGAIN` tokens the other is tried again.
    """

    AGAIN = 512

    def __init__(self, most: int) -> None:
        self.most = most
        self.seconds: dict[int, list[float]] = {1: [], most: []}
        self.since = 0

    def parts(self) -> int:
        """How many threads should share the next piece of work."""
        if self.most == 1 or torch.get_num_threads() < self.most:
            return 1
        tried = min(self.seconds, key=lambda parts: len(self.seconds[parts]))
        if len(self.seconds[tried]) < 2:
            return tried
        best = min(self.seconds, key=lambda parts: min(self.seconds[parts]))
        if self.since > self.AGAIN:
            self.since = 0
            return 1 if best == self.most else self.most
        return best

    @contextlib.contextmanager
    def timed(self, parts: int, count: int) -> Generator[None]:
        """Remember how long ``count`` tokens took that way: the last two times count."""
        start = time.perf_counter()
        yield
        self.since += count
        if count and parts in self.seconds:
            self.seconds[parts] = [*self.seconds[parts][-1:], (time.perf_counter() - start) / count]


class RealSamEngine(Engine):
    """See the top of this file. Raises ValueError for tokens that do not exist."""

    @torch.no_grad()
    def __init__(self, model: RealSamModel, batch: int = 1, weights: str = "float32") -> None:
        from wetware.kernels.compiled.arena import together
        from wetware.kernels.compiled.readout import screen
        from wetware.models.engines import real_sam_loop as loop

        self.batch, self._loop, self._vocab_size = batch, loop, model.vocab_size
        config: Any = model.config
        table = model.encoder.table.detach()
        self._weights, self._screen = together(self._compiled(model, weights), screen(table.numpy()))
        self._table = torch.from_numpy(self._screen.table)
        parts = PARTS if batch == 1 else 1
        self._memory = loop.empty_memory(config.depth, batch, config.width, config.encoder.bits, parts)
        self._room = loop.make_room(self._weights, self._screen, batch, parts)
        self._pace = Pace(parts)
        self._read = False

    def _compiled(self, model: RealSamModel, weights: str) -> Any:
        blocks, config = list(model.blocks), model.config
        gate = config.block.gate
        with_input = isinstance(gate, InputGate)
        params = [self._neurons(block) for block in blocks]
        dense = [
            torch.cat([block.fc_in.weight, block.gate.down.weight]) if with_input else block.fc_in.weight
            for block in blocks
        ]
        up = [_packed(block.gate.up.weight, weights) for block in blocks] if with_input else []
        recurrent = [_rows(block.fc_rec.t(), weights) for block in blocks] if config.block.recurrence else []
        none = np.zeros((0, 1, 1, 32), np.float32), np.zeros((1, config.width), np.float32)
        nobody = np.zeros((0, 1, 1), np.float32), np.zeros((len(blocks), config.width), np.float32)
        if gate is None:
            gates = [torch.ones(config.width) for _ in blocks]
        else:
            gates = [block.gate.bias if with_input else torch.sigmoid(block.gate.bias) for block in blocks]
        decay, threshold, gain = (torch.stack(values).numpy() for values in zip(*params, strict=True))
        return self._loop.Weights(
            model.encoder(torch.arange(config.vocab_size)[None])[0].numpy(),
            *_stacked([_packed(matrix, weights) for matrix in dense]),
            *(_stacked(up) if up else none),
            torch.stack(gates).numpy(),
            *(_stacked(recurrent) if recurrent else nobody),
            *_stacked([_rows(block.fc_out.weight, weights) for block in blocks]),
            decay,
            threshold,
            gain,
            *_packed(model.readout.out.weight, weights),
            np.float32(model.readout.scale.item()),
            np.float32(config.block.neuron.reset.bound or 0.0),
            -1 if config.boundary is None else config.boundary,
        )

    @staticmethod
    def _neurons(block: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Decay, threshold and gain of a block at neutral signals, what normalises its input folded into the gain."""
        params = block.params(NEUTRAL)
        normalise = block.neuron.config.normalise
        gain = params.gain * normalise.factor(params.decay) if normalise else params.gain
        return params.decay.contiguous(), params.threshold.contiguous(), gain.contiguous()

    @property
    def state(self) -> RealSamState:
        memory, layers = self._memory, []
        for membrane, ids, counts in zip(memory.membrane, memory.ids[0], memory.counts[0], strict=True):
            spikes = np.zeros_like(membrane)
            for row, (places, count) in enumerate(zip(ids, counts, strict=True)):
                spikes[row, places[:count]] = 1.0
            layers.append(LIFState(torch.from_numpy(membrane.copy()), torch.from_numpy(spikes)))
        return RealSamState(tuple(layers))

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
                self._room.counter[0] = 0
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
        self._run(0, self._loop.read, array)  # not timed: reading is less work than writing
        self._read = self._read or bool(array.size)

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
        numbers = (np.uint64(dice.seed), np.uint64(dice.draws), -1 if stop is None else stop)
        done = self._run(count, self._loop.write, self._screen, seen.numpy(), *options, *numbers, written)
        dice.draws += done if sampling.temperature > 0 else 0  # the most likely token needs no noise
        return torch.from_numpy(written[:, :done])

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
