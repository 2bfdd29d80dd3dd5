"""Synapses: what happens between a query and the keys it asks."""

from wetware.synapses.distance import DistanceBarrier
from wetware.synapses.frequency_penalty import FrequencyPenalty
from wetware.synapses.kinetics import CalciumBuffer, Complexin, Doc2, Snare, SynapticEnergy
from wetware.synapses.sampling import GumbelSample, NormalSample, Sampler, StraightThrough
from wetware.synapses.septin import SeptinInhibition
from wetware.synapses.static_release import StaticRelease
from wetware.synapses.synapse import Release, Synapse, SynapticCleft, Transmission
from wetware.synapses.two_hop import TwoHop
from wetware.synapses.vesicle_release import VesicleRelease

__all__ = [
    "CalciumBuffer",
    "Complexin",
    "DistanceBarrier",
    "Doc2",
    "FrequencyPenalty",
    "GumbelSample",
    "NormalSample",
    "Release",
    "Sampler",
    "SeptinInhibition",
    "Snare",
    "StaticRelease",
    "StraightThrough",
    "Synapse",
    "SynapticCleft",
    "SynapticEnergy",
    "Transmission",
    "TwoHop",
    "VesicleRelease",
]
