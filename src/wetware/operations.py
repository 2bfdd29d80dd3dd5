"""Operations: what a part of a model computes for one token, told once, by the part itself.

Energy is counted from this. A new layer inherits :class:`Counted` and tells its products; nothing else has to know of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from torch import Tensor, nn


class Operation(NamedTuple):
    """A product of a vector of ``inputs`` with a matrix [inputs, outputs], once a token.

    events: how many of the inputs fired, on average, when they are spikes: then only their rows are added up. None: the
    inputs are real numbers, and every one is multiplied with its weights. weights: the parameters that are read.
    """

    name: str
    inputs: float
    outputs: float
    events: float | None = None
    weights: tuple[Tensor, ...] = ()

    @property
    def dense(self) -> float:
        """Multiply-accumulates if nothing were left out."""
        return self.inputs * self.outputs

    @property
    def multiply_accumulates(self) -> float:
        return self.dense if self.events is None else 0.0

    @property
    def synaptic_operations(self) -> float:
        """Spikes x fan-out: one addition for each event at each target (Merolla et al., 2014)."""
        return 0.0 if self.events is None else self.events * self.outputs


class Workload(NamedTuple):
    """What a mean token brings along.

    spikes: of each layer of neurons (by its module), how many fire at a token; None where outputs are graded. frequencies: [V],
    the share of each token in the text. context: how many positions an attending token sees at most, itself included.
    """

    spikes: Mapping[nn.Module, float | None]
    frequencies: Tensor
    context: int


class Counted:
    """A module that tells what it computes for one token."""

    def operations(self, work: Workload) -> Iterator[Operation]:
        """Each product and its like, by a name within the module. What is computed by modules inside that are ``Counted``
        themselves is theirs to tell."""
        raise NotImplementedError


def operations(model: nn.Module, work: Workload) -> list[Operation]:
    """Every operation of ``model``, named by its path, in the order of its modules."""
    found = []
    for path, module in model.named_modules():
        if isinstance(module, Counted):
            prefix = f"{path}." if path else ""
            found += [operation._replace(name=prefix + operation.name) for operation in module.operations(work)]
    return found


def uncounted(model: nn.Module, found: list[Operation]) -> list[str]:
    """The names of the matrices that no operation reads: what an energy made of ``found`` leaves out."""
    read = {id(weight) for operation in found for weight in operation.weights}
    return [name for name, parameter in model.named_parameters() if parameter.ndim > 1 and id(parameter) not in read]
