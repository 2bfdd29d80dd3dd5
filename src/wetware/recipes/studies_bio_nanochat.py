"""Studies of bio-nanochat: questions with their answers' price. ``wetware study NAME`` asks one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wetware.config import with_
from wetware.evaluation.study import Change, Study
from wetware.layers import SynapticExperts
from wetware.models import BioNanochat
from wetware.plasticity import FastWeights
from wetware.recipes.bio_nanochat import bio_nanochat_mini
from wetware.recipes.tasks import recall_bio_nanochat
from wetware.synapses import DistanceBarrier, Synapse

SMALL_EXPERTS = SynapticExperts(hidden=24)
BARE = FastWeights(input_dependence=None, eligibility=None, latch=None, bdnf=None, dual=None)
RECALLING = (
    Change("vesicle release", (("model.synapse.release", "VesicleRelease"),), "every synapse tires and recovers"),
    Change(
        "frequency penalty",
        (("model.synapse.release", "FrequencyPenalty"),),
        "the least that could do what release does",
    ),
    Change("two hops", (("model.synapse.two_hop", "TwoHop"),), "A v + mu A A v"),
    Change(
        "fast weights",
        (("model.memory", FastWeights()), ("model.expansion", 3.8)),
        "delta rule, with all that is in it; a smaller MLP",
    ),
    Change("fast weights, Hebb", (("model.memory.write", "Hebbian"),), "nothing is erased", "fast weights"),
)
"""What the studies of recall put into a GPT of that size."""


def bio_nanochat_mechanisms() -> Study:
    """What each mechanism of bio-nanochat does to a GPT of its size, with its control. An hour and a half of one core."""
    release, memory, mlp = "model.synapse.release", "model.memory", "model.expansion"
    parts: Any = BioNanochat()
    every = tuple(
        (f"model.{path}", getattr(parts, path)) for path in ("synapse", "memory", "experts", "neuromodulators")
    )
    return Study(
        run=bio_nanochat_mini(),
        plain=None,
        called="gpt",
        question="What does each mechanism of bio-nanochat add to a plain transformer, at equal tokens and matched parameters? "
        "Expected before the first cell: a distance barrier and fast weights help a little; vesicle release does no more "
        "than a frequency penalty; what else there is does nothing that 400 k tokens could show.",
        leave_out=(),
        changes=(
            Change("vesicle release", ((release, "VesicleRelease"),), "every synapse tires and recovers"),
            Change("frequency penalty", ((release, "FrequencyPenalty"),), "the least that could do what release does"),
            Change("static release", ((release, "StaticRelease"),), "a function of the score alone"),
            Change("distance", (("model.synapse.distance", "DistanceBarrier"),), "a slope a head"),
            Change("septin", (("model.synapse.septin", "SeptinInhibition"),), "neighbouring keys inhibit each other"),
            Change("two hops", (("model.synapse.two_hop", "TwoHop"),), "A v + mu A A v"),
            Change(
                "fast weights",
                ((memory, FastWeights()), (mlp, 3.83)),
                "delta rule, with all that is in it; a smaller MLP",
            ),
            Change("fast weights, Hebb", ((f"{memory}.write", "Hebbian"),), "nothing is erased", "fast weights"),
            Change("fast weights, bare", ((memory, BARE), (mlp, 4.0)), "strength and decay constant", "fast weights"),
            Change(
                "fast weights, random consolidation",
                ((f"{memory}.dual.consolidation.direction", "RandomDirection"),),
                "slow weights moved as far, elsewhere",
                "fast weights",
            ),
            Change(
                "linear attention", ((memory, "LinearAttentionMemory"), (mlp, 4.0)), "a running sum", "fast weights"
            ),
            Change(
                "experts",
                (("model.experts", SMALL_EXPERTS), (mlp, 1.96)),
                "four to eight, and a smaller MLP",
            ),
            Change(
                "experts that stay",
                (("model.experts", replace(SMALL_EXPERTS, lifecycle=None)),),
                "four, for good",
                "experts",
            ),
            Change("neuromodulators", ((every[3][0], every[3][1]),), "three gains by the course of the loss"),
            Change("Rule 30", (("model.initialisation", "Rule30"),), "matrices by a cellular automaton"),
            Change("Rule 116", (("model.initialisation", "Rule116"),), "the same, by one that repeats itself"),
            Change("reversible", (("model.residual", "ReversibleResidual"),), "two streams, turned"),
            Change(
                "all of it",
                (*every[:2], ("model.experts", SMALL_EXPERTS), every[3], (mlp, 1.79)),
                "every mechanism at once",
            ),
        ),
        tokens=400_000,
        held_out=100_000,
    )


def bio_nanochat_beyond_distance() -> Study:
    """Whether release knows more than how far away a key is. Twenty minutes of one core."""
    run: Any = bio_nanochat_mini()
    near = replace(run.model, synapse=Synapse(distance=DistanceBarrier()))
    release = "model.synapse.release"
    return Study(
        run=replace(run, model=near),
        plain=None,
        called="gpt with distance",
        question="A key that was asked by every query since is an old key, so release and a frequency penalty may do what a "
        "slope over distance does. What do they add? Expected before the first cell: nothing that 400 k tokens could show.",
        leave_out=(),
        changes=(
            Change("vesicle release", ((release, "VesicleRelease"),), "every synapse tires and recovers"),
            Change("frequency penalty", ((release, "FrequencyPenalty"),), "the least that could do what release does"),
            Change("without distance", (("model.synapse.distance", None),), "the plain transformer"),
        ),
        tokens=400_000,
        held_out=100_000,
    )


def bio_nanochat_recall() -> Study:
    """What the memories of bio-nanochat do to trained associative recall, beside a GPT of its size. An hour of one core."""
    return Study(
        run=recall_bio_nanochat(),
        plain=None,
        called="gpt",
        question="What do release and fast weights do to trained associative recall, at equal tokens and matched parameters? "
        "Expected before the first cell: fast weights learn recall sooner; release hinders it.",
        leave_out=(),
        changes=(
            *RECALLING,
            Change("fast weights, no latch", (("model.memory.latch", None),), "nothing is held", "fast weights"),
        ),
        tokens=1_200_000,
        margin=0.05,
    )


def bio_nanochat_recall_of_two() -> Study:
    """What the memories of bio-nanochat do to how soon recall of two pairs is found. Half an hour of one core."""
    return Study(
        run=with_(recall_bio_nanochat(), "corpus.pairs", 2),
        plain=None,
        called="gpt",
        question="Recall of up to four pairs is found by some runs in the time and not by others, so a score at the end tells "
        "little (bio_nanochat_recall). Of two pairs, how many tokens does it take until it is found? Until then one of the "
        "two values is guessed, at 0.9 bits per byte; then the loss falls off a cliff. Expected before the first cell: fast "
        "weights find it sooner than gpt, bare ones soonest; release and a frequency penalty make it later, since both tell a "
        "key by its age and not by what it is; two hops, which can chain two looks, make it sooner. (A pilot, two seeds of "
        "gpt: 490 and 550 thousand tokens.)",
        leave_out=(),
        changes=(
            *RECALLING,
            Change(
                "fast weights, bare",
                (("model.memory", BARE), ("model.expansion", 4.0)),
                "strength and decay constant",
                "fast weights",
            ),
        ),
        tokens=1_000_000,
        margin=0.05,
        found=0.45,
    )
