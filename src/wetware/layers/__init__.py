"""Layers: the ordinary parts of a network, and the blocks that hold the mechanisms."""

from wetware.layers.attention import KV, Attention, SelfAttention
from wetware.layers.axonal_delays import AxonalDelays
from wetware.layers.block_output import ProjectedOutput, ResidualOutput, SpikeOutput
from wetware.layers.current_norm import LayerNormCurrents, RMSCurrents
from wetware.layers.dispatch import LoadBalance
from wetware.layers.fatigue import Fatigue
from wetware.layers.homeostasis import Fired, Homeostasis
from wetware.layers.initialisation import NormalWeights, Rule30, Rule116
from wetware.layers.leaky_readout import LeakyReadout
from wetware.layers.lifecycle import EnergyAccount, Lifecycle, NeuroScoreFitness
from wetware.layers.linear import Linear
from wetware.layers.membrane_readout import MembraneReadout, NormalisedReadout, PlainReadout
from wetware.layers.mlp import MLP
from wetware.layers.norm import RMSNorm, Unnormalised
from wetware.layers.readout import TiedReadout
from wetware.layers.residual import ResidualStream
from wetware.layers.reversible import Gauge, ReversibleResidual
from wetware.layers.routing import DotRouting, RabSnareRouting, RouterInhibition, UltrametricRouting
from wetware.layers.spike_encoder import CurrentEncoder, Encoder, STESpikes
from wetware.layers.spiking_block import InputGate, NeuronGate, Recurrence, SpikingBlock
from wetware.layers.synaptic_experts import SynapticExperts

__all__ = [
    "KV",
    "MLP",
    "Attention",
    "AxonalDelays",
    "CurrentEncoder",
    "DotRouting",
    "Encoder",
    "EnergyAccount",
    "Fatigue",
    "Fired",
    "Gauge",
    "Homeostasis",
    "InputGate",
    "LayerNormCurrents",
    "LeakyReadout",
    "Lifecycle",
    "Linear",
    "LoadBalance",
    "MembraneReadout",
    "NeuroScoreFitness",
    "NeuronGate",
    "NormalWeights",
    "NormalisedReadout",
    "PlainReadout",
    "ProjectedOutput",
    "RMSCurrents",
    "RMSNorm",
    "RabSnareRouting",
    "Recurrence",
    "ResidualOutput",
    "ResidualStream",
    "ReversibleResidual",
    "RouterInhibition",
    "Rule30",
    "Rule116",
    "STESpikes",
    "SelfAttention",
    "SpikeOutput",
    "SpikingBlock",
    "SynapticExperts",
    "TiedReadout",
    "UltrametricRouting",
    "Unnormalised",
]
