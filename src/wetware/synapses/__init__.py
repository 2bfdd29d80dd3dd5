"""Synapses: what happens between a query and the keys it asks."""

from wetware.synapses.synapse import Release, Synapse, SynapticCleft, Transmission

__all__ = ["Release", "Synapse", "SynapticCleft", "Transmission"]
