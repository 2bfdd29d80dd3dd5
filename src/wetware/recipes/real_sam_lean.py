"""Real Sam with what its studies found to help, and without what they found to do nothing: ``wetware study real_sam_lean``."""

from __future__ import annotations

from dataclasses import replace

from wetware.layers import AxonalDelays, CurrentEncoder, InputGate, SpikingBlock
from wetware.models import RealSam
from wetware.neurons import LIF, UniformDecay
from wetware.recipes.mini import real_sam_mini
from wetware.training import Run


def real_sam_lean_mini() -> Run:
    """Real Sam, lean, with as many parameters as real_sam_mini: 2 blocks of 228 neurons, 1024 tokens."""
    run = real_sam_mini()
    return replace(run, model=replace(_lean(width=228, depth=2, bits=96, rank=48), vocab_size=run.model.vocab_size))


def real_sam_lean_small() -> Run:
    """Real Sam, lean, with as many parameters as real_sam_small: 2 blocks of 304 neurons, 128 numbers a token."""
    return Run(model=_lean(width=304, depth=2, bits=128, rank=64))


def _lean(width: int, depth: int, bits: int, rank: int) -> RealSam:
    """Membranes that keep 0.3 of themselves, for good; half of each layer's inputs one token late; a token's vector as a
    current instead of its spikes; no recurrent weights and no environment."""
    neuron = LIF(decay=UniformDecay(value=0.3), learned_decay=None)
    block = SpikingBlock(neuron=neuron, delays=AxonalDelays(), recurrence=None, gate=InputGate(rank=rank))
    return RealSam(width=width, depth=depth, encoder=CurrentEncoder(bits=bits), block=block, modulators=())
