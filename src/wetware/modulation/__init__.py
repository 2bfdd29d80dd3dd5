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
from wetware.modulation.inference import (
    FixedStress,
    FrozenStress,
    InferenceStress,
    NeutralStress,
    Surprise,
    SurpriseStress,
)
from wetware.modulation.modulator import Modulator, ModulatorConfig, stress_tracker
from wetware.modulation.neuromodulators import (
    Acetylcholine,
    ConstantSignal,
    Dopamine,
    FromLoss,
    Neuromodulator,
    Noradrenaline,
    ShuffledSignal,
    SignalSource,
)
from wetware.modulation.programs import (
    CellPrograms,
    ConstantPrograms,
    ImportedPrograms,
    PermutedPrograms,
    ProgramFile,
    Programs,
    RandomPrograms,
)
from wetware.modulation.signals import NEUTRAL, NEUTRAL_STRESS, Signals
from wetware.modulation.stress import ConstantStress, LossStress, ShuffledStress, StressSource
from wetware.modulation.trackers import SignalTracker, signals_of

__all__ = [
    "NEUTRAL",
    "NEUTRAL_STRESS",
    "PROGRAMS",
    "Acetylcholine",
    "CellPrograms",
    "ConstantPrograms",
    "ConstantSignal",
    "ConstantStress",
    "Dopamine",
    "Effects",
    "Environment",
    "FixedStress",
    "FreeNeurons",
    "FromLoss",
    "FrozenStress",
    "GeneProgram",
    "ImportedPrograms",
    "InferenceStress",
    "LogNormalDiversity",
    "LossStress",
    "Modulator",
    "ModulatorConfig",
    "Neuromodulator",
    "NeutralStress",
    "Noradrenaline",
    "PermutedPrograms",
    "ProgramFile",
    "ProgramMatrix",
    "Programs",
    "RandomPrograms",
    "ShuffledSignal",
    "ShuffledStress",
    "SignalSource",
    "SignalTracker",
    "Signals",
    "StressSource",
    "Surprise",
    "SurpriseStress",
    "dominant",
    "packaged_effects",
    "program_matrix",
    "read_effects",
    "signals_of",
    "stress_tracker",
]
