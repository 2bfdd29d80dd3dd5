"""Neurons: parameters, state, equation. One neuron a file."""

from wetware.neurons.lif import LIF, LearnedDecay, LearnedThreshold, LogSpacedDecay, UniformDecay
from wetware.neurons.neuron import Activity, Neuron, NeuronConfig, NeuronParams
from wetware.neurons.normalise import MeanPreserving, VariancePreserving
from wetware.neurons.reset import AttachedReset, DetachedReset
from wetware.neurons.surrogate import FastSigmoid, RelativeFastSigmoid

__all__ = [
    "LIF",
    "Activity",
    "AttachedReset",
    "DetachedReset",
    "FastSigmoid",
    "LearnedDecay",
    "LearnedThreshold",
    "LogSpacedDecay",
    "MeanPreserving",
    "Neuron",
    "NeuronConfig",
    "NeuronParams",
    "RelativeFastSigmoid",
    "UniformDecay",
    "VariancePreserving",
]
