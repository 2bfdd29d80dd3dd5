"""Models to talk to: trained on conversations made of templates, with the loss on the assistant's turns."""

from __future__ import annotations

from dataclasses import replace

from wetware.data import BPE, TemplateConversations
from wetware.layers import InputGate, SelfAttention, SpikingBlock, STESpikes
from wetware.models import GPT, ModelConfig, RealSam
from wetware.neurons import LIF, LogSpacedDecay
from wetware.training import AdamW, AssistantTurns, Monitoring, Run, Tokens, Training


def real_sam_chat() -> Run:
    """Real Sam to talk to: 2 blocks of 192 neurons with decays of up to 64 tokens at first. Minutes of one core."""
    block = SpikingBlock(neuron=LIF(decay=LogSpacedDecay(shortest=1.0, longest=64.0)), gate=InputGate(rank=48))
    return _chat(RealSam(width=192, depth=2, encoder=STESpikes(bits=96), block=block))


def gpt_chat() -> Run:
    """The plain transformer with as many parameters as real_sam_chat: 2 layers of width 108, window 256."""
    return _chat(GPT(width=108, depth=2, attention=SelfAttention(heads=2, window=256)))


def _chat(model: ModelConfig) -> Run:
    """Two million tokens, of which the assistant says a third.

    Held-out conversations are of names and sums that were never seen, and get less likely as the model gets sure of what it was
    told, while it answers ever more of that. So it is scored at the end alone: the best checkpoint is the last one.
    """
    tokenizer = BPE(vocab_size=1024)
    training = Training(
        limit=Tokens(count=2_000_000),
        optimizer=AdamW(matrix=8e-3, embedding=2.4e-2, neuron=2e-2),
        counted=AssistantTurns(),
    )
    monitoring = Monitoring(
        evaluate_every=1_000_000, sample_prompt="<|user|>Good morning, friend.<|assistant|>", sample_tokens=16
    )
    model = replace(model, vocab_size=tokenizer.vocab_size)  # a run would fit it; listings count parameters before
    return Run(
        model=model, corpus=TemplateConversations(), tokenizer=tokenizer, training=training, monitoring=monitoring
    )
