"""Traits: optional parts at the continuous points of a spiking model, one a file, each neutral at its start."""

from wetware.traits.bigram_bias import BigramBias
from wetware.traits.engram import DepthwiseConvolution, Engram
from wetware.traits.multi_token import MultiTokenPrediction
from wetware.traits.trait import Context, Passed, Place, Site, Trait, TraitConfig, loss_ahead

__all__ = [
    "BigramBias",
    "Context",
    "DepthwiseConvolution",
    "Engram",
    "MultiTokenPrediction",
    "Passed",
    "Place",
    "Site",
    "Trait",
    "TraitConfig",
    "loss_ahead",
]
