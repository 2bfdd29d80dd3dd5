"""Program semantics: how strongly each gene program fires at each token, told to the readout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from wetware.config import number
from wetware.layers import Linear
from wetware.modulation import CellPrograms, Programs
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import NEURON, constant, filled, parameter
from wetware.traits.trait import Context, Passed, Place, Trait, TraitConfig


@dataclass(frozen=True, kw_only=True)
class ProgramSemantics(TraitConfig):
    """The last layer's membranes read along the axes of the gene programs, and fed back to the vector z that is read (Byrne,
    SpikeWhale-SNN, 2026, names such a block; this form of it is ours)::

        a = P^T tanh(pre^L) / N                            [B, T, columns]: which programs fire at this token
        z <- z + tanh(g) W_2 gelu(W_1 layer_norm([sqrt(N) a; W_d z])),   g = 0 at first

    P [N, columns]: fixed; of each neuron how much of each program it is, the same that sets it under ``GeneProgram`` with the
    same ``programs``. W_d: width -> ``features``. W_1: columns + features -> ``hidden``. W_2: hidden -> width. What it is: a
    bottleneck whose first numbers have names. Whether the names matter is for its controls to say, the other kinds of
    ``programs``: permuted, random, constant.
    """

    neutral: ClassVar[bool] = True

    programs: Programs = CellPrograms()
    features: int = number(32, 1, 65536)
    hidden: int = number(128, 1, 65536)

    def build(self, place: Place) -> ProgramReader:
        return ProgramReader(self, place)


class ProgramReader(Trait, Counted):
    """See :class:`ProgramSemantics`."""

    programs: Tensor

    def __init__(self, config: ProgramSemantics, place: Place) -> None:
        super().__init__()
        columns = config.programs.columns
        self.register_buffer("programs", constant(place.neurons, columns, draw=config.programs.draw()))
        self.fc_features = Linear(place.width, config.features)
        self.fc_hidden = Linear(columns + config.features, config.hidden)
        self.fc_out = Linear(config.hidden, place.width)
        self.gate = parameter(1, draw=filled(0.0), role=NEURON)

    def operations(self, work: Workload) -> Iterator[Operation]:
        """Membranes are real numbers, and multiply."""
        yield Operation("programs", *self.programs.shape, weights=(self.programs,))
        for name in ("fc_features", "fc_hidden", "fc_out"):
            weight = getattr(self, name).weight
            yield Operation(name, weight.shape[1], weight.shape[0], weights=(weight,))

    def active(self, context: Context) -> Tensor:
        """a [B, T, columns]."""
        return torch.tanh(context.activity[-1].membrane).to(self.programs.dtype) @ self.programs / len(self.programs)

    def forward(self, hidden: Tensor, state: Any, context: Context) -> Passed:
        # A sum of N numbers of either sign is of the size sqrt(N): divided by N, the norm would lose it beside W_d z.
        active = len(self.programs) ** 0.5 * self.active(context)
        mixed = torch.cat([active, self.fc_features(hidden)], -1)
        mixed = self.fc_hidden(functional.layer_norm(mixed, mixed.shape[-1:]))
        return Passed(hidden + torch.tanh(self.gate) * self.fc_out(functional.gelu(mixed)))

    def trace(self, hidden: Tensor, state: Any, context: Context) -> Mapping[str, Tensor]:
        """programs: a [B, T, columns], draw beside draw, each in the order of ``wetware.modulation.PROGRAMS``."""
        return {"programs": self.active(context)}
