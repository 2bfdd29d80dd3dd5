"""Fast weights: an associative memory that is written while a sequence is read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.linalg import vector_norm

from wetware.config import ConfigError, number
from wetware.kernels import Choice, delta_scan
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import NEURON, filled, parameter
from wetware.plasticity import fast_weights_token
from wetware.plasticity.bdnf import BDNF
from wetware.plasticity.consolidation import Held
from wetware.plasticity.dual_weights import DualWeights
from wetware.plasticity.eligibility import Eligibility
from wetware.plasticity.half_life import log_share, spread_half_lives
from wetware.plasticity.input_dependence import InputDependence
from wetware.plasticity.latch import BistableEnzymes, BistableLatch, Latch
from wetware.plasticity.memory import Memory, MemoryConfig, Recalled
from wetware.plasticity.rule import Rule, Ruled
from wetware.plasticity.write_rules import DeltaRule, WriteRule


@dataclass(frozen=True, kw_only=True)
class FastWeights(MemoryConfig):
    """For each head and sequence a matrix A [D, D], read at each token and then written (op ``delta_scan``)::

        y_t = A_{t-1}^T q_t
        A_t = g_t A_{t-1} + beta_t k_t (v_t - g_t A_{t-1}^T k_t)^T         the delta rule; Hebb's leaves the last term out
        x_t gets tanh(gate) y_t beside what attention mixed, gate = 0 at first

    q and k are attention's own, scaled to length 1, and v is too, unscaled. Where a document starts, A is 0. beta_t and g_t are
    constants of the head, moved by the parts below, in this order: input dependence, latch, BDNF. That fast weights find what
    was stored is a theorem for orthogonal keys, and tested; what the biology in beta and g does to a language model is in
    docs/verdicts (held-out bits per byte are better without it).

    write: what a write erases. shortest, longest: half lives of A over heads at the start, in tokens, spread evenly in the
    logarithm. strength: beta at the start. Both are learned for each head.
    """

    neutral: ClassVar[bool] = True

    write: WriteRule = DeltaRule()
    shortest: float = number(4.0, 0.05, 1e6)
    longest: float = number(512.0, 0.05, 1e6)
    strength: float = number(0.5, 0.0, 1.0, open_ends=True)
    input_dependence: InputDependence | None = InputDependence()
    eligibility: Eligibility | None = Eligibility()
    latch: Latch | None = BistableLatch()
    bdnf: BDNF | None = BDNF()
    dual: DualWeights | None = DualWeights()

    def check(self) -> None:
        if self.shortest > self.longest:
            raise ConfigError(f"FastWeights: shortest = {self.shortest:g} exceeds longest = {self.longest:g}")

    def build(self, *, width: int, heads: int) -> FastWeightsMemory:
        return FastWeightsMemory(self, width, heads)


class FastWeightsState(NamedTuple):
    """matrix: A [B, H, D, D]. The rest belongs to the parts, and is empty where they are absent."""

    matrix: Tensor
    eligibility: Any
    latch: Any
    bdnf: Any


class Written(NamedTuple):
    """How a chunk is written: key [B, T, H, D], decay (the logarithm of g) and strength (beta) [B, T, H], CaMKII after the last
    token [B, H] (None without a latch), and the states of the parts."""

    key: Tensor
    decay: Tensor
    strength: Tensor
    camkii: Tensor | None
    eligibility: Any
    latch: Any
    bdnf: Any


class FastWeightsMemory(Memory, Ruled, Counted):
    """See :class:`FastWeights`."""

    def __init__(self, config: FastWeights, width: int, heads: int) -> None:
        super().__init__()
        self.config, self.heads, self.size = config, heads, width // heads
        self.gate = parameter(heads, draw=filled(0.0), role=NEURON)
        self.half_life = spread_half_lives(heads, config.shortest, config.longest)
        self.strength = parameter(heads, draw=filled(math.log(config.strength / (1 - config.strength))), role=NEURON)
        given = config.input_dependence
        self.input_dependence = given.build(width=width, heads=heads) if given else None
        self.eligibility = config.eligibility.build(heads=heads, size=self.size) if config.eligibility else None
        self.latch = config.latch.build(heads=heads) if config.latch else None
        self.bdnf = config.bdnf.build(heads=heads) if config.bdnf else None
        self.dual = config.dual.build(heads=heads, size=self.size) if config.dual else None

    def rule(self) -> Rule | None:
        return self.dual.rule() if self.dual else None

    def init_state(self, batch: int) -> FastWeightsState:
        matrix = self.gate.new_zeros(batch, self.heads, self.size, self.size)
        parts = (self.eligibility, self.latch, self.bdnf)
        return FastWeightsState(matrix, *(part.init_state(batch) if part else () for part in parts))

    def operations(self, work: Workload) -> Iterator[Operation]:
        """Small projections; decay, erasing, writing and reading of A; the enzymes; reading S."""
        rows = self.heads * self.size
        if self.input_dependence:
            for name in ("write", "decay"):
                weight = getattr(self.input_dependence, name)
                yield Operation(f"input_dependence.{name}", weight.shape[1], weight.shape[0], weights=(weight,))
        for name in ("decay", "erase", "write", "read"):
            if name != "erase" or isinstance(self.config.write, DeltaRule):
                yield Operation(name, rows, self.size)
        if isinstance(self.latch, BistableEnzymes):
            yield Operation("latch", len(self.latch.kinetics), self.heads, weights=(self.latch.kinetics,))
        if self.dual:
            yield Operation("dual", rows, self.size, weights=(self.dual.matrix,))

    def forward(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor, state: Any, keep: Tensor) -> Recalled:
        return recall(self, x, query, key, value, state, keep)

    def chunk(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor, state: Any, keep: Tensor) -> Recalled:
        """``forward`` by the formulas."""
        given = value.dtype
        with torch.autocast(value.device.type, enabled=False):  # sums over whole documents
            x, query, key, value, keep = (part.to(self.gate.dtype) for part in (x, query, key, value, keep))
            how = self.written(x, key * self.size**-0.5, value, state, keep)
            erase = self.config.write.erase(how.strength)
            found, matrix = delta_scan(query, how.key, value, state.matrix, how.decay, erase, how.strength, keep)
            if self.dual:
                found = found + self.dual(query)
            recalled = (torch.tanh(self.gate) * self.size**-0.5)[:, None] * found  # which is linear in the query
        left = FastWeightsState(matrix, how.eligibility, how.latch, how.bdnf)
        return Recalled(recalled.to(given), left, self.evidence(matrix, how.camkii))

    def written(self, x: Tensor, key: Tensor, value: Tensor, state: FastWeightsState, keep: Tensor) -> Written:
        """How values [B, T, H, D] are written under keys of length 1, after ``state``."""
        logit, decay = self.strength, log_share(self.half_life)
        if self.input_dependence:
            more, factor = self.input_dependence(x)
            logit, decay = logit + more, decay * factor
        strength = torch.sigmoid(logit).expand(*keep.shape, -1)
        camkii, eligibility, latch, bdnf = None, (), (), ()
        length = vector_norm(value, dim=-1) if self.latch or self.bdnf else strength
        if self.latch:
            latched = self.latch(length * self.size**-0.5, state.latch, keep)
            strength, decay = strength * latched.factor, decay * (1 - latched.camkii)
            camkii, latch = latched.camkii[:, -1], latched.state
        if self.bdnf:
            strength, bdnf = self.bdnf(strength, length, state.bdnf, keep)
        if self.eligibility:
            key, eligibility = self.eligibility(key, state.eligibility, keep)
        return Written(key, decay.expand_as(strength), strength, camkii, eligibility, latch, bdnf)

    def evidence(self, matrix: Tensor, camkii: Tensor | None) -> Held | None:
        """What consolidation wants to know, where gradients are recorded."""
        if self.rule() is None or not torch.is_grad_enabled():
            return None
        matrix = matrix.detach()
        return Held((matrix if camkii is None else camkii.detach()[..., None, None] * matrix).mean(0))


recall = Choice("fast_weights", FastWeightsMemory.chunk)
recall.backend("numba", fast_weights_token.refuses)(fast_weights_token.run)
