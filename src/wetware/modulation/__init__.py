"""Modulation: maps on neuron parameters, moved by signals that the caller gives."""

from wetware.modulation.effects import (
    PROGRAMS,
    Effects,
    ProgramMatrix,
    dominant,
    packaged_effects,
    program_matrix,
    read_effects,
)
from wetware.modulation.environment import Environment, LogNormalDiversity
from wetware.modulation.free_neurons import FreeNeurons
from wetware.modulation.gene_program import GeneProgram
from wetware.modulation.modulator import Modulator, ModulatorConfig
from wetware.modulation.programs import (
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
    "Effects",
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
    "ProgramMatrix",
    "Programs",
    "RandomPrograms",
    "ShuffledStress",
    "Signals",
    "StressSource",
    "dominant",
    "packaged_effects",
    "program_matrix",
    "read_effects",
]
