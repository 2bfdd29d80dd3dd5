"""The virtual cell: what the knock-down of a gene does to six gene programs. Its effects, in a file, set neurons
(:mod:`wetware.modulation.effects`). Nothing here knows a language model."""

from wetware.cell.effects import save_effects
from wetware.cell.embeddings import GeneEmbeddings, load_embeddings, save_embeddings
from wetware.cell.expression import Expression, Preparation, TargetSplit, prepare
from wetware.cell.h5ad import H5AD, write_h5ad
from wetware.cell.held_out import HeldOut, ProgramFit
from wetware.cell.perturbation import DeltaMLP, Fitting
from wetware.cell.programs import PROGRAMS, ControlSets, GeneProgram, overlaps, program_scores, programs, score_matrix
from wetware.cell.screen import ArrayScreen, Screen, ScreenConfig
from wetware.cell.synthetic import SyntheticScreen
from wetware.cell.virtual_cell import TrainedCell, VirtualCell, load_cell, save_cell

__all__ = [
    "H5AD",
    "PROGRAMS",
    "ArrayScreen",
    "ControlSets",
    "DeltaMLP",
    "Expression",
    "Fitting",
    "GeneEmbeddings",
    "GeneProgram",
    "HeldOut",
    "Preparation",
    "ProgramFit",
    "Screen",
    "ScreenConfig",
    "SyntheticScreen",
    "TargetSplit",
    "TrainedCell",
    "VirtualCell",
    "load_cell",
    "load_embeddings",
    "overlaps",
    "prepare",
    "program_scores",
    "programs",
    "save_cell",
    "save_effects",
    "save_embeddings",
    "score_matrix",
    "write_h5ad",
]
