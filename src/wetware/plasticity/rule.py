"""What every rule is: the only thing besides the optimizer that changes weights, and only between two steps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn


class Between(NamedTuple):
    """What a rule may look at between two optimizer steps.

    step: how many steps were done. seed: of the run. evidence: what the rule's module said of each part of the batch, as
    ``(share of the batch, evidence)``; the evidence is the module's own NamedTuple, and leaves in it that ask for gradients
    have them. moments: from a parameter to the tensors that the optimizer keeps of it, by name, to be changed in place (those
    of its shape belong to its elements one by one). signals: what the model will be told at the next step, or None. together:
    a sum over all processes that train the same model (the identity where there is one), so that all of them decide alike.
    """

    step: int
    seed: int
    evidence: tuple[tuple[float, Any], ...]
    moments: Callable[[nn.Parameter], Mapping[str, Tensor]]
    signals: Any = None  # of another room, which this one does not know
    together: Callable[[Tensor], Tensor] = lambda tensor: tensor


class Rule:
    """A change of weights or buffers between two optimizer steps. ``apply`` gives what it did, as a list of events (plain
    numbers and text, with a ``what``), which go into the run's metrics. What it has to remember lies in buffers of its
    module."""

    @abstractmethod
    def apply(self, between: Between) -> list[dict[str, Any]]:
        """Do what is due after a step."""


class Ruled:
    """A module to which a rule belongs."""

    def rule(self) -> Rule | None:
        """The rule, or None when its config has none."""
        raise NotImplementedError
