"""Plasticity: weights that are changed by something other than the gradient."""

from wetware.plasticity.bdnf import BDNF
from wetware.plasticity.consolidation import Consolidation, Direction, RandomDirection, Toward
from wetware.plasticity.dual_weights import DualWeights
from wetware.plasticity.eligibility import Eligibility
from wetware.plasticity.fast_weights import FastWeights
from wetware.plasticity.input_dependence import InputDependence
from wetware.plasticity.latch import BistableLatch, Latch, LinearLatch
from wetware.plasticity.linear_attention_memory import LinearAttentionMemory
from wetware.plasticity.memory import Memory, MemoryConfig, Recalled
from wetware.plasticity.rule import Between, Rule, Ruled
from wetware.plasticity.write_rules import DeltaRule, Hebbian, WriteRule

__all__ = [
    "BDNF",
    "Between",
    "BistableLatch",
    "Consolidation",
    "DeltaRule",
    "Direction",
    "DualWeights",
    "Eligibility",
    "FastWeights",
    "Hebbian",
    "InputDependence",
    "Latch",
    "LinearAttentionMemory",
    "LinearLatch",
    "Memory",
    "MemoryConfig",
    "RandomDirection",
    "Recalled",
    "Rule",
    "Ruled",
    "Toward",
    "WriteRule",
]
