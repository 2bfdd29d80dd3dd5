"""Bio-nanochat: whole, each mechanism alone on the same skeleton, and presets for what one may want of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wetware.config import with_
from wetware.data import BPE
from wetware.layers import ReversibleResidual, Rule30, SelfAttention, SynapticExperts
from wetware.models import GPT, BioNanochat
from wetware.modulation import Acetylcholine, Dopamine, Noradrenaline
from wetware.plasticity import FastWeights
from wetware.synapses import DistanceBarrier, SeptinInhibition, Synapse, TwoHop, VesicleRelease
from wetware.training import AdamW, Run, Training

SMALL: Any = {"width": 128, "depth": 4, "attention": SelfAttention(heads=4, window=128)}
MIDDLE: Any = {"width": 256, "depth": 6, "attention": SelfAttention(heads=4, window=256)}
LARGE: Any = {"width": 768, "depth": 12, "attention": SelfAttention(heads=6, window=1024)}
NOTHING: Any = {"synapse": Synapse(), "memory": None, "experts": None, "neuromodulators": ()}


def gpt_1m() -> Run:
    """The plain transformer on the skeleton of bio_nanochat_1m: 0.92 million parameters, 4 layers of width 128, window 128."""
    return _small(GPT(**SMALL))


def gpt_6m() -> Run:
    """The plain transformer on the skeleton of bio_nanochat_6m: 5.8 million parameters, 6 layers of width 256, window 256."""
    return _middle(GPT(**MIDDLE))


def bio_nanochat() -> Run:
    """Bio-nanochat with every mechanism, at the size its authors gave it: 12 layers of width 768, 6 heads, window 1024; 140
    million parameters."""
    tokenizer = BPE(vocab_size=32768)
    training = Training(batch=8, chunk=512, optimizer=AdamW(matrix=6e-4), calibration=None)
    return _run(BioNanochat(**LARGE, experts=SynapticExperts(hidden=192)), tokenizer, training)


def bio_nanochat_1m() -> Run:
    """Bio-nanochat with every mechanism on the skeleton of gpt_1m, for minutes on a laptop: 1.2 million parameters."""
    return _small(BioNanochat(**SMALL, experts=SynapticExperts(hidden=32)))


def bio_nanochat_6m() -> Run:
    """Bio-nanochat with every mechanism on the skeleton of gpt_6m, for an hour on a laptop: 7.5 million parameters."""
    return _middle(BioNanochat(**MIDDLE, experts=SynapticExperts(hidden=64)))


def bio_nanochat_mini() -> Run:
    """Bio-nanochat with every mechanism absent, which is a GPT of 0.43 million parameters: where studies begin."""
    return _run(
        BioNanochat(width=96, depth=3, attention=SelfAttention(heads=4, window=128), **NOTHING),
        BPE(vocab_size=1024),
        Training(batch=4, chunk=128, calibration=None),
    )


# ------------------------------------------------------------------------------------------------- each mechanism alone


def bio_nanochat_release() -> Run:
    """Vesicle release alone, on the skeleton of gpt_1m."""
    return _alone(synapse=Synapse(release=VesicleRelease()))


def bio_nanochat_distance() -> Run:
    """The distance barrier alone, on the skeleton of gpt_1m."""
    return _alone(synapse=Synapse(distance=DistanceBarrier()))


def bio_nanochat_septin() -> Run:
    """Lateral inhibition between keys alone, on the skeleton of gpt_1m."""
    return _alone(synapse=Synapse(septin=SeptinInhibition()))


def bio_nanochat_two_hop() -> Run:
    """Simplicial (two-hop) attention alone, on the skeleton of gpt_1m."""
    return _alone(synapse=Synapse(two_hop=TwoHop()))


def bio_nanochat_fast_weights() -> Run:
    """Fast weights alone, with eligibility, latch, BDNF, slow weights and consolidation, on the skeleton of gpt_1m."""
    return _alone(memory=FastWeights())


def bio_nanochat_experts() -> Run:
    """Experts that tire, split and merge alone, on the skeleton of gpt_1m."""
    return _alone(experts=SynapticExperts(hidden=32))


def bio_nanochat_neuromodulators() -> Run:
    """Dopamine, acetylcholine and noradrenaline alone, on the skeleton of gpt_1m."""
    return _alone(neuromodulators=(Dopamine(), Acetylcholine(), Noradrenaline()))


def bio_nanochat_rule30() -> Run:
    """The plain transformer, its matrices drawn by the cellular automaton of Rule 30, on the skeleton of gpt_1m."""
    return _alone(initialisation=Rule30())


def bio_nanochat_reversible() -> Run:
    """Gauge-reversible blocks alone, on the skeleton of gpt_1m: training keeps no activations of its blocks."""
    return _alone(residual=ReversibleResidual())


# --------------------------------------------------------------------------------------------------------------- presets
# After the table "if the model is ..., tweak ..." of Bio-Inspired Nanochat; starting values only, for all of them are learned.


def bio_nanochat_less_repetitive() -> Run:
    """For a model that repeats itself: vesicles come back three times more slowly, and what is tired counts from the start."""
    return _tuned(("synapse.release.priming", 0.01), ("synapse.release.strength", 0.5))


def bio_nanochat_better_memory() -> Run:
    """For a model that forgets: CaMKII is twice as strong, and fast weights last eight times longer."""
    return _tuned(("memory.latch.potentiation", 1.2), ("memory.longest", 4096.0))


def bio_nanochat_focused() -> Run:
    """For a model that is scattered: the fast calcium sensor opens at half the calcium, so strong scores release surely."""
    return _tuned(("synapse.release.syt1", 0.4))


def bio_nanochat_fast_growing() -> Run:
    """For a model that is too small: a lower birth bar; experts split younger, and not only the best three in ten."""
    return _tuned(("experts.lifecycle.min_age", 25), ("experts.lifecycle.quantile", 0.4))


def bio_nanochat_lean() -> Run:
    """For a model that is bloated: experts pay twice the tax for every token, so that fewer of them live."""
    return _tuned(("experts.lifecycle.score.tax", 1.0))


def bio_nanochat_novelty_seeking() -> Run:
    """What the authors call ADHD mode: slow refill and dear energy, so that attention leaves what it has seen."""
    return _tuned(
        ("synapse.release.priming", 0.005),
        ("synapse.release.energy.cost", 0.5),
        ("synapse.release.strength", 1.0),
    )


def _tuned(*settings: tuple[str, Any]) -> Run:
    run: Any = bio_nanochat_1m()
    for path, value in settings:
        run = with_(run, f"model.{path}", value)
    return run


def _alone(**part: Any) -> Run:
    return _small(BioNanochat(**{**SMALL, **NOTHING, **part}))


def _small(model: GPT) -> Run:
    return _run(model, BPE(vocab_size=1024), Training(batch=8, chunk=128, calibration=None))


def _middle(model: GPT) -> Run:
    training = Training(batch=8, chunk=256, optimizer=AdamW(matrix=2e-3), calibration=None)
    return _run(model, BPE(vocab_size=4096), training)


def _run(model: GPT, tokenizer: BPE, training: Training) -> Run:
    return Run(model=replace(model, vocab_size=tokenizer.vocab_size), tokenizer=tokenizer, training=training)
