"""Traits: optional parts at the continuous points of a spiking model, one a file, each neutral at its start."""

from wetware.traits.refinement import DeepSupervision, HierarchicalRefinement
from wetware.traits.trait import Context, Passed, Place, Site, Trait, TraitConfig, loss_ahead

__all__ = [
    "Context",
    "DeepSupervision",
    "HierarchicalRefinement",
    "Passed",
    "Place",
    "Site",
    "Trait",
    "TraitConfig",
    "loss_ahead",
]
