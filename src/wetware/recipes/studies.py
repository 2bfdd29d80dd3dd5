"""Studies: questions with their answers' price. ``wetware study NAME`` asks one."""

from __future__ import annotations

from dataclasses import replace

from wetware.evaluation.study import Change, Study
from wetware.recipes.mini import gpt_mini, gru_mini, lstm_mini, real_sam_mini
from wetware.training import Run, Training


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
