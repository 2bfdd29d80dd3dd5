"""Write rules: what a write does to what was stored before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from wetware.config import Config


@dataclass(frozen=True, kw_only=True)
class WriteRule(Config):
    """A slot for what a write erases."""

    abstract: ClassVar[bool] = True

    def erase(self, write: Tensor) -> Tensor:
        """How much of what lies under a key is taken away, from how much is written there; both of one shape."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class DeltaRule(WriteRule):
    """``A <- A + beta k (v - A^T k)^T``: what was stored under a key is replaced (Widrow and Hoff, 1960; as fast weights:
    Schlag, Irie and Schmidhuber, 2021)."""

    def erase(self, write: Tensor) -> Tensor:
        return write


@dataclass(frozen=True, kw_only=True)
class Hebbian(WriteRule):
    """``A <- A + beta k v^T``: what was stored stays, and what is stored under similar keys adds up (Hebb, 1949). The control
    of :class:`DeltaRule`."""

    def erase(self, write: Tensor) -> Tensor:
        return write.new_zeros(()).expand_as(write)
