"""Traits: optional parts at the continuous points of a spiking model, one a file, each neutral at its start."""

from wetware.traits.bigram_bias import BigramBias
from wetware.traits.engram import DepthwiseConvolution, Engram
from wetware.traits.jepa import JEPA, VarianceHinge
from wetware.traits.kuramoto import Kuramoto, order_parameter
from wetware.traits.moe import MixtureOfExperts
from wetware.traits.multi_token import MultiTokenPrediction
from wetware.traits.program_semantics import ProgramSemantics
from wetware.traits.refinement import DeepSupervision, HierarchicalRefinement
from wetware.traits.spiking_attention import FixedRetention, LearnedRetention, RealKeys, SpikingAttention, SpikingKeys
from wetware.traits.trait import Context, Passed, Place, Site, Trait, TraitConfig, loss_ahead

__all__ = [
    "JEPA",
    "BigramBias",
    "Context",
    "DeepSupervision",
    "DepthwiseConvolution",
    "Engram",
    "FixedRetention",
    "HierarchicalRefinement",
    "Kuramoto",
    "LearnedRetention",
    "MixtureOfExperts",
    "MultiTokenPrediction",
    "Passed",
    "Place",
    "ProgramSemantics",
    "RealKeys",
    "Site",
    "SpikingAttention",
    "SpikingKeys",
    "Trait",
    "TraitConfig",
    "VarianceHinge",
    "loss_ahead",
    "order_parameter",
]
