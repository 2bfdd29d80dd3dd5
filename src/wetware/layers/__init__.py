"""Layers: the ordinary parts of a network, and the blocks that hold the mechanisms."""

from wetware.layers.attention import KV, Attention, SelfAttention
from wetware.layers.dispatch import LoadBalance
from wetware.layers.leaky_readout import LeakyReadout
from wetware.layers.linear import Linear
from wetware.layers.membrane_readout import MembraneReadout, NormalisedReadout, PlainReadout
from wetware.layers.mlp import MLP
from wetware.layers.readout import TiedReadout
from wetware.layers.spike_encoder import CurrentEncoder, Encoder, STESpikes
from wetware.layers.spiking_block import InputGate, NeuronGate, Recurrence, SpikingBlock

__all__ = [
    "KV",
    "MLP",
    "Attention",
    "CurrentEncoder",
    "Encoder",
    "InputGate",
    "LeakyReadout",
    "Linear",
    "LoadBalance",
    "MembraneReadout",
    "NeuronGate",
    "NormalisedReadout",
    "PlainReadout",
    "Recurrence",
    "STESpikes",
    "SelfAttention",
    "SpikingBlock",
    "TiedReadout",
]
