"""Traits: optional parts at the continuous points of a spiking model, one a file, each neutral at its start."""

from wetware.traits.jepa import JEPA, VarianceHinge
from wetware.traits.moe import LoadBalance, MixtureOfExperts
from wetware.traits.program_semantics import ProgramSemantics
from wetware.traits.refinement import DeepSupervision, HierarchicalRefinement
from wetware.traits.trait import Context, Passed, Place, Site, Trait, TraitConfig, loss_ahead

__all__ = [
    "JEPA",
    "Context",
    "DeepSupervision",
    "HierarchicalRefinement",
    "LoadBalance",
    "MixtureOfExperts",
    "Passed",
    "Place",
    "ProgramSemantics",
    "Site",
    "Trait",
    "TraitConfig",
    "VarianceHinge",
    "loss_ahead",
]
