"""Plasticity: weights that are changed by something other than the gradient."""

from wetware.plasticity.memory import Memory, MemoryConfig, Recalled
from wetware.plasticity.rule import Between, Rule, Ruled

__all__ = ["Between", "Memory", "MemoryConfig", "Recalled", "Rule", "Ruled"]
