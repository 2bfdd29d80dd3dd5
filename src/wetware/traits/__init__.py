"""Traits: optional parts at the continuous points of a spiking model, one a file, each neutral at its start."""

from wetware.traits.kuramoto import Kuramoto, order_parameter
from wetware.traits.spiking_attention import FixedRetention, LearnedRetention, RealKeys, SpikingAttention, SpikingKeys
from wetware.traits.trait import Context, Passed, Place, Site, Trait, TraitConfig, loss_ahead

__all__ = [
    "Context",
    "FixedRetention",
    "Kuramoto",
    "LearnedRetention",
    "Passed",
    "Place",
    "RealKeys",
    "Site",
    "SpikingAttention",
    "SpikingKeys",
    "Trait",
    "TraitConfig",
    "loss_ahead",
    "order_parameter",
]
