"""Studies of SpikeWhale: questions with their answers' price. ``wetware study NAME`` asks one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wetware.config import snake
from wetware.evaluation.study import Change, Study
from wetware.neurons import UniformDecay
from wetware.recipes.spikewhale import SMALL_TRAITS, spikewhale_1m
from wetware.traits import BigramBias, TraitConfig

TRAITS_IN_WORDS = (
    "hashed memory of the last 2 and 3 tokens",
    "linear attention by binary queries and keys",
    "the programs' activity, fed back",
    "coupled oscillators",
    "six experts and a shared one",
    "three steps of refinement, each supervised",
    "foretells the token after the next too",
    "foretells its own vector four tokens on",
)


def spikewhale_bridge() -> Study:
    """Whether gene programs help SpikeWhale's neurons, against five controls. Three quarters of an hour of one core."""
    bridge = "model.modulators.gene_program"
    return Study(
        run=spikewhale_1m(),
        plain=None,
        question="Do gene programs that set neurons lower SpikeWhale's held-out bits per byte? Expected before the first cell: "
        "permuted and random programs do as well as the cell's (neurons are alike at first, so which neuron has which row is "
        "chance); free neurons do at least as well; what any of them gains over none comes from neurons being different.",
        leave_out=(),
        changes=(
            Change("no bridge", ((bridge, None),), "every neuron alike"),
            Change("permuted programs", ((f"{bridge}.programs", "PermutedPrograms"),), "the same rows, shuffled"),
            Change("random programs", ((f"{bridge}.programs", "RandomPrograms"),), "normal noise for genes"),
            Change("constant programs", ((f"{bridge}.programs", "ConstantPrograms"),), "one row for all neurons"),
            Change(
                "free neurons",
                ((bridge, None), ("model.modulators.free_neurons", "FreeNeurons")),
                "threshold, decay, gain of each neuron learned",
            ),
        ),
        tokens=300_000,
        held_out=100_000,
    )


def spikewhale_bridge_at_long_memory() -> Study:
    """The same from a decay of 0.9 on, as such cores usually have it, where the bridge seems to help. 25 minutes of a core."""
    study = spikewhale_bridge()
    run: Any = study.run
    neuron = replace(run.model.neuron, decay=UniformDecay(value=0.9))
    return replace(study, run=replace(run, model=replace(run.model, neuron=neuron)), tokens=400_000, seeds=3)


def spikewhale_traits() -> Study:
    """What each of SpikeWhale's traits is worth, added alone, and all of them. An hour and a half of one core."""
    changes = [_with_trait(trait, about) for trait, about in zip(SMALL_TRAITS, TRAITS_IN_WORDS, strict=True)]
    every = tuple(setting for change in changes for setting in change.settings)
    narrow, wide = ("model.width", 256), ("model.width", 408)
    return Study(
        run=spikewhale_1m(),
        question="What does each trait of SpikeWhale add to the plain model, at equal tokens and matched parameters, and at "
        "equal time? Expected before the first cell: n-gram memory, attention and experts help; oscillators, program "
        "semantics and JEPA do nothing that 300 k tokens could show.",
        leave_out=(),
        changes=(
            *changes,
            _with_trait(BigramBias(rank=24), "the least memory of the last token: Engram's control"),
            Change("wider", (wide,), "as many parameters as with all traits", match=False),
            Change("with all traits", (narrow, *every), "all eight, at the plain width", against="wider", match=False),
        ),
        tokens=300_000,
        held_out=100_000,
        longer=(1.5, 3.0),
    )


def _with_trait(trait: TraitConfig, about: str) -> Change:
    name = snake(type(trait).__name__)
    return Change(f"with {name}", ((f"model.traits.{name}", trait),), about)
