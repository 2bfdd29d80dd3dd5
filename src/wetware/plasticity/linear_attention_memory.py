"""Linear attention as a memory: the control of fast weights without any gate, decay or erasing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from wetware.kernels import delta_scan
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import NEURON, filled, parameter
from wetware.plasticity.memory import Memory, MemoryConfig, Recalled


@dataclass(frozen=True, kw_only=True)
class LinearAttentionMemory(MemoryConfig):
    """A running sum over the document, read as a mean (Katharopoulos et al., 2020, arXiv 2006.16236)::

        y_t = sum_{j<t} (phi(q_t) . phi(k_j)) v_j / sum_{j<t} phi(q_t) . phi(k_j),   phi(u) = elu(u) + 1

    added to what attention mixed through the same gate as :class:`FastWeights`, whose control it is: as large a state, and
    nothing that decides what to write or to forget.
    """

    neutral: ClassVar[bool] = True

    def build(self, *, width: int, heads: int) -> RunningSum:
        return RunningSum(width, heads)


class RunningSum(Memory, Counted):
    """See :class:`LinearAttentionMemory`."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.gate = parameter(heads, draw=filled(0.0), role=NEURON)

    def init_state(self, batch: int) -> Tensor:
        """Sums of ``phi(k) (v, 1)^T``, [B, H, D, D + 1]."""
        return self.gate.new_zeros(batch, self.heads, self.size, self.size + 1)

    def operations(self, work: Workload) -> Iterator[Operation]:
        for name in ("write", "read"):
            yield Operation(name, self.heads * self.size, self.size + 1)

    def forward(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor, state: Any, keep: Tensor) -> Recalled:
        given = value.dtype
        with torch.autocast(value.device.type, enabled=False):
            query, key, value, keep = (part.to(self.gate.dtype) for part in (query, key, value, keep))
            query, key = functional.elu(query) + 1, (functional.elu(key) + 1) / self.size
            marked = torch.cat([value, torch.ones_like(value[..., :1])], -1)
            none, one = (torch.full_like(value[..., 0], number) for number in (0.0, 1.0))
            found, state = delta_scan(query, key, marked, state, none, none, one, keep)
            mean = found[..., :-1] / (found[..., -1:] + 1e-6)
        return Recalled((torch.tanh(self.gate)[:, None] * mean).to(given), state)
