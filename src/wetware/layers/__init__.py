"""Layers: the ordinary parts of a network, and the blocks that hold the mechanisms."""

from wetware.layers.attention import KV, Attention, SelfAttention
from wetware.layers.initialisation import NormalWeights, Rule30, Rule116
from wetware.layers.leaky_readout import LeakyReadout
from wetware.layers.linear import Linear
from wetware.layers.membrane_readout import MembraneReadout, NormalisedReadout, PlainReadout
from wetware.layers.mlp import MLP
from wetware.layers.readout import TiedReadout
from wetware.layers.residual import ResidualStream
from wetware.layers.reversible import Gauge, ReversibleResidual
from wetware.layers.spike_encoder import CurrentEncoder, Encoder, STESpikes
from wetware.layers.spiking_block import InputGate, NeuronGate, Recurrence, SpikingBlock

__all__ = [
    "KV",
    "MLP",
    "Attention",
    "CurrentEncoder",
    "Encoder",
    "Gauge",
    "InputGate",
    "LeakyReadout",
    "Linear",
    "MembraneReadout",
    "NeuronGate",
    "NormalWeights",
    "NormalisedReadout",
    "PlainReadout",
    "Recurrence",
    "ResidualStream",
    "ReversibleResidual",
    "Rule30",
    "Rule116",
    "STESpikes",
    "SelfAttention",
    "SpikingBlock",
    "TiedReadout",
]
