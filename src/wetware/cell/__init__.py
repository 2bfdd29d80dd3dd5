"""The virtual cell: what the knock-down of a gene does to six gene programs, and from that the matrix P that sets neurons.

Offline and small: ``program_matrix(512)`` needs no data. Nothing here knows a language model.
"""

from wetware.cell.assignment import (
    Effects,
    ProgramMatrix,
    load_effects,
    load_program_matrix,
    packaged_effects,
    program_matrix,
    save_effects,
    save_program_matrix,
)
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
    "Effects",
    "Expression",
    "Fitting",
    "GeneEmbeddings",
    "GeneProgram",
    "HeldOut",
    "Preparation",
    "ProgramFit",
    "ProgramMatrix",
    "Screen",
    "ScreenConfig",
    "SyntheticScreen",
    "TargetSplit",
    "TrainedCell",
    "VirtualCell",
    "load_cell",
    "load_effects",
    "load_embeddings",
    "load_program_matrix",
    "overlaps",
    "packaged_effects",
    "prepare",
    "program_matrix",
    "program_scores",
    "programs",
    "save_cell",
    "save_effects",
    "save_embeddings",
    "save_program_matrix",
    "score_matrix",
    "write_h5ad",
]
