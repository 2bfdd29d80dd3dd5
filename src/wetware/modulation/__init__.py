"""Modulation: maps on neuron parameters, moved by signals that the caller gives."""

from wetware.modulation.environment import Environment, LogNormalDiversity
from wetware.modulation.free_neurons import FreeNeurons
from wetware.modulation.gene_program import GeneProgram
from wetware.modulation.modulator import Modulator, ModulatorConfig
from wetware.modulation.programs import (
    PROGRAMS,
    CellPrograms,
    ConstantPrograms,
    ImportedPrograms,
    PermutedPrograms,
    ProgramFile,
    Programs,
    RandomPrograms,
)
from wetware.modulation.signals import NEUTRAL, Signals
from wetware.modulation.stress import ConstantStress, LossStress, ShuffledStress, StressSource

__all__ = [
    "NEUTRAL",
    "PROGRAMS",
    "CellPrograms",
    "ConstantPrograms",
    "ConstantStress",
    "Environment",
    "FreeNeurons",
    "GeneProgram",
    "ImportedPrograms",
    "LogNormalDiversity",
    "LossStress",
    "Modulator",
    "ModulatorConfig",
    "PermutedPrograms",
    "ProgramFile",
    "Programs",
    "RandomPrograms",
    "ShuffledStress",
    "Signals",
    "StressSource",
]
