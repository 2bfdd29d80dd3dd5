"""Neurons: parameters, state, equation. One neuron a file."""

from wetware.neurons.graded import GradedLIF
from wetware.neurons.input_decay import DecayByInput, InputDecayNeuron
from wetware.neurons.leaky import LearnedDecay, LearnedThreshold, LogSpacedDecay, UniformDecay
from wetware.neurons.lif import LIF
from wetware.neurons.neuron import Activity, Neuron, NeuronConfig, NeuronParams
from wetware.neurons.normalise import MeanPreserving, VariancePreserving
from wetware.neurons.reset import AttachedReset, DetachedReset
from wetware.neurons.surrogate import FastSigmoid, RelativeFastSigmoid
from wetware.neurons.two_compartment import TwoCompartmentLIF

__all__ = [
    "LIF",
    "Activity",
    "AttachedReset",
    "DecayByInput",
    "DetachedReset",
    "FastSigmoid",
    "GradedLIF",
    "InputDecayNeuron",
    "LearnedDecay",
    "LearnedThreshold",
    "LogSpacedDecay",
    "MeanPreserving",
    "Neuron",
    "NeuronConfig",
    "NeuronParams",
    "RelativeFastSigmoid",
    "TwoCompartmentLIF",
    "UniformDecay",
    "VariancePreserving",
]
