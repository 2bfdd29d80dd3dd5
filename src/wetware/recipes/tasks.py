"""Memory tasks: each for Real Sam and for a plain transformer with as many parameters. Loss on the answers alone."""

from __future__ import annotations

from typing import Any

from wetware.data import AssociativeRecall, Characters, Copying, Needle, Task, VariableBinding
from wetware.layers import SelfAttention, SpikingBlock, STESpikes
from wetware.models import GPT, BioNanochat, ModelConfig, RealSam
from wetware.neurons import LIF, LogSpacedDecay
from wetware.synapses import Synapse
from wetware.training import AdamW, AfterMark, Monitoring, Run, Tokens, Training

RECALL = AssociativeRecall(pairs=4, keys=8, values=8)
BINDING = VariableBinding(variables=4, values=8)
COPYING = Copying(shortest=2, longest=12)
NEEDLE = Needle(shortest=8, longest=64)


def recall_real_sam() -> Run:
    """Associative recall of 2 to 4 pairs by Real Sam: 2 blocks of 104 neurons."""
    return _run(RECALL, _real_sam(longest=64.0, width=104, depth=2), "a3b7?B", batch=48, embedding=8e-3)


def recall_gpt() -> Run:
    """The plain transformer with as many parameters as recall_real_sam: 2 layers of width 64."""
    return _run(RECALL, _gpt(width=64), "a3b7?B", batch=48, embedding=8e-3)


def recall_bio_nanochat() -> Run:
    """The same transformer as a bio-nanochat with every mechanism absent: put in what is to be looked at."""
    nothing: Any = {"synapse": Synapse(), "memory": None, "experts": None, "neuromodulators": ()}
    model = BioNanochat(width=64, depth=2, attention=SelfAttention(heads=4, window=256), **nothing)
    return _run(RECALL, model, "a3b7?B", batch=48, embedding=8e-3)


def binding_real_sam() -> Run:
    """Variable binding of 2 to 4 variables among re-bindings and distractors, by Real Sam."""
    return _run(BINDING, _real_sam(longest=64.0, width=104, depth=2), "a3q5b7a4?A", batch=48, embedding=8e-3)


def binding_gpt() -> Run:
    """The plain transformer with as many parameters as binding_real_sam."""
    return _run(BINDING, _gpt(width=64), "a3q5b7a4?A", batch=48, embedding=8e-3)


def copying_real_sam() -> Run:
    """Copying of strings of 2 to 12 characters by Real Sam."""
    return _run(COPYING, _real_sam(longest=64.0), "abc....?=")


def copying_gpt() -> Run:
    """The plain transformer with as many parameters as copying_real_sam."""
    return _run(COPYING, _gpt(), "abc....?=")


def needle_real_sam() -> Run:
    """A needle in 8 to 64 characters of filler, by Real Sam: 2 blocks of 128 neurons, decays of up to 512 tokens at first."""
    return _run(NEEDLE, _real_sam(longest=512.0, width=128, depth=2), "hqe K7wl pzt?K=", chunk=80)


def needle_gpt() -> Run:
    """The plain transformer with as many parameters as needle_real_sam: 2 layers of width 80; its window is 256."""
    return _run(NEEDLE, _gpt(width=80), "hqe K7wl pzt?K=", chunk=80)


def _real_sam(longest: float, width: int = 192, depth: int = 3) -> RealSam:
    neuron = LIF(decay=LogSpacedDecay(shortest=1.0, longest=longest))
    return RealSam(width=width, depth=depth, encoder=STESpikes(bits=64), block=SpikingBlock(neuron=neuron))


def _gpt(width: int = 128) -> GPT:
    return GPT(width=width, depth=2, attention=SelfAttention(heads=4, window=256))


def _run(
    task: Task, model: ModelConfig, prompt: str, chunk: int = 64, batch: int = 12, embedding: float = 1.2e-2
) -> Run:
    """Three million tokens, most of them not answers: two to six minutes on one core."""
    training = Training(
        batch=batch,
        chunk=chunk,
        limit=Tokens(count=3_000_000),
        optimizer=AdamW(embedding=embedding),
        counted=AfterMark(marks=task.marks),
    )
    monitoring = Monitoring(evaluate_every=100, sample_prompt=prompt, sample_tokens=4, sample_every=1000)
    return Run(model=model, corpus=task, tokenizer=Characters(), training=training, monitoring=monitoring)
