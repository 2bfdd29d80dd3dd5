"""Synapses: what happens between a query and the keys it asks."""

from wetware.synapses.distance import DistanceBarrier
from wetware.synapses.kinetics import CalciumBuffer, Complexin, Doc2, Snare, SynapticEnergy
from wetware.synapses.septin import SeptinInhibition
from wetware.synapses.synapse import Release, Synapse, SynapticCleft, Transmission
from wetware.synapses.two_hop import TwoHop
from wetware.synapses.vesicle_release import VesicleRelease

__all__ = [
    "CalciumBuffer",
    "Complexin",
    "DistanceBarrier",
    "Doc2",
    "Release",
    "SeptinInhibition",
    "Snare",
    "Synapse",
    "SynapticCleft",
    "SynapticEnergy",
    "Transmission",
    "TwoHop",
    "VesicleRelease",
]
