"""The control of gene programs that has more freedom than they: every neuron's parameters are its own."""

from __future__ import annotations

from dataclasses import dataclass

from wetware.config import number
from wetware.modulation.gene_program import Exponents, NeuronModulator
from wetware.modulation.modulator import ModulatorConfig
from wetware.parameters import NEURON, normal, parameter


@dataclass(frozen=True, kw_only=True)
class FreeNeurons(ModulatorConfig):
    """Threshold, decay and gain of each neuron learned freely, within the bounds of :class:`GeneProgram` and shared by all
    layers like it. They start with the spread that the gene programs start with: deviations of the exponents, over the neurons.

    What a gene program gains and this does not, the genes gained; what both gain, being different did.
    """

    threshold: float = number(0.17, 0.0, 2.0)
    decay: float = number(0.52, 0.0, 2.0)
    gain: float = number(0.17, 0.0, 2.0)

    def build(self, *, size: int) -> FreeNeuronParameters:
        return FreeNeuronParameters(self, size)


class FreeNeuronParameters(NeuronModulator):
    """See :class:`FreeNeurons`."""

    def __init__(self, config: FreeNeurons, size: int) -> None:
        super().__init__()
        self.threshold = parameter(size, draw=normal(config.threshold), role=NEURON)
        self.decay = parameter(size, draw=normal(config.decay), role=NEURON)
        self.gain = parameter(size, draw=normal(config.gain), role=NEURON)

    def exponents(self) -> Exponents:
        return Exponents(self.threshold, self.decay, self.gain)
