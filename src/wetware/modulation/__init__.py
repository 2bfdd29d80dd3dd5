"""Modulation: maps on neuron parameters, moved by signals that the caller gives."""

from wetware.modulation.environment import Environment, LogNormalDiversity
from wetware.modulation.modulator import Modulator, ModulatorConfig
from wetware.modulation.signals import NEUTRAL, Signals
from wetware.modulation.stress import ConstantStress, LossStress, ShuffledStress, StressSource

__all__ = [
    "NEUTRAL",
    "ConstantStress",
    "Environment",
    "LogNormalDiversity",
    "LossStress",
    "Modulator",
    "ModulatorConfig",
    "ShuffledStress",
    "Signals",
    "StressSource",
]
