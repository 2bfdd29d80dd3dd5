"""Real Sam's four versions at one size: what a version is, is which parts stand in the slots.

Of the author's versions a line each is known: V1 "basic LIF + recurrence", characters, about 1 M parameters; V2 "residual
blocks + LayerNorm", byte pair encoding, about 3 M; V3 "homeostatic thresholds", about 6 M, deprecated; V4 "environment +
diversity", about 6 M (6 blocks of 512 neurons, 256-bit token code, 4096 tokens), with firing held at 10 % "through a loss
penalty, not threshold manipulation". ``real_sam`` has V4's sizes. Here all four have 0.39 M parameters and the two layers of
``real_sam_mini``, so that they can be compared, and its token code, which the first version may not have had.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wetware.data import BPE, Characters, TemplateConversations
from wetware.layers import Homeostasis, SpikeOutput, SpikingBlock, STESpikes, Unnormalised
from wetware.models import MembraneReading, RealSam
from wetware.neurons import LIF, UniformDecay
from wetware.recipes.mini import real_sam_mini
from wetware.training import Run

SOTU_CHARACTERS = 273  # the boundary, the bytes, and 16 characters of several bytes
# At a decay of 0.9, usual with such cores, two layers know no more after 80 k characters than how frequent each is (2.97 nats;
# at 0.5, 2.53): what a membrane sums over ten tokens drowns the present one, in each layer anew.
BASIC = LIF(decay=UniformDecay(value=0.5), learned_decay=None, learned_threshold=None, normalise=None)


def real_sam_v1() -> Run:
    """V1: LIF neurons with recurrence, layer on layer, on characters. Nothing goes past the spikes, no current is normalised;
    decay 0.5 and threshold 1 for every neuron; membranes are read. The author's: about 1 M parameters."""
    block = SpikingBlock(neuron=BASIC, gate=None, norm=Unnormalised(), output=SpikeOutput())
    model = RealSam(
        vocab_size=SOTU_CHARACTERS,
        width=280,
        depth=2,
        encoder=STESpikes(bits=96, norm=Unnormalised()),
        block=block,
        membranes=MembraneReading(),
        modulators=(),
        firing_target=None,
    )
    return replace(real_sam_mini(), model=model, tokenizer=Characters())


def real_sam_v1_bpe() -> Run:
    """V1 on the tokens of the other versions: what is left when characters are not the difference."""
    tokenizer = BPE(vocab_size=1024)
    model: Any = replace(real_sam_v1().model, vocab_size=tokenizer.vocab_size, width=248)
    return replace(real_sam_mini(), model=model, tokenizer=tokenizer)


def real_sam_v2() -> Run:
    """V2: gated residual blocks, normalised streams and currents, byte pair encoding, a spread of learned decays. Nothing holds
    the firing rate. The author's: about 3 M parameters."""
    run: Any = real_sam_mini()
    return replace(run, model=replace(run.model, modulators=(), firing_target=None))


def real_sam_v2_conversations() -> Run:
    """V2 on what its author trained it on, conversations, with the loss on all of them; those here are made of templates."""
    return replace(real_sam_v2(), corpus=TemplateConversations())


def real_sam_v3() -> Run:
    """V3, deprecated: V2 with homeostatic thresholds, moved between steps until every neuron fires at 10 %. They chase the
    weights, make all neurons fire alike, and stand at inference where the run stopped. The author's: about 6 M parameters."""
    return _homeostatic(Homeostasis())


def real_sam_v3_frozen() -> Run:
    """V3 as an initialiser: the thresholds move for the first 150 steps, then are frozen for good."""
    return _homeostatic(Homeostasis(until=150))


def real_sam_v4() -> Run:
    """V4: V2 with the shared environment, the neurons' diversity, and a loss that holds firing at 10 %; the same as
    real_sam_mini. The author's: about 6 M parameters, which is the recipe real_sam."""
    return real_sam_mini()


def _homeostatic(homeostasis: Homeostasis) -> Run:
    run: Any = real_sam_v2()
    return replace(run, model=replace(run.model, block=replace(run.model.block, homeostasis=homeostasis)))
