"""SpikeWhale at its author's size and at sizes that train here."""

from __future__ import annotations

from dataclasses import replace

from wetware.data import BPE, LengthMax, corpus_from
from wetware.models import SpikeWhale
from wetware.training import AdamW, Calibration, Run, Training
from wetware.traits import (
    JEPA,
    Engram,
    HierarchicalRefinement,
    Kuramoto,
    MixtureOfExperts,
    MultiTokenPrediction,
    ProgramSemantics,
    SpikingAttention,
    TraitConfig,
)

# Each within 37 to 131 thousand parameters where the skeleton has 918, so that none is asked of at another's price.
SMALL_TRAITS: tuple[TraitConfig, ...] = (
    Engram(slots=1024, dimension=16),
    SpikingAttention(),
    ProgramSemantics(),
    Kuramoto(),
    MixtureOfExperts(hidden=32),
    HierarchicalRefinement(rank=64),
    MultiTokenPrediction(hidden=96),
    JEPA(hidden=128),
)


def spikewhale() -> Run:
    """SpikeWhale at its author's sizes, 216 million parameters, on a stream of FineWeb-Edu and FineMath: for a large machine.

    4 layers of 1488 neurons, 16,512 tokens of a length-max tokenizer, seven traits. The author tells no sizes of the traits;
    here Engram's tables are as large as the author's count of parameters leaves room for (docs/guide/spikewhale.md).
    """
    model = SpikeWhale(
        vocab_size=16_512,
        traits=(
            Engram(slots=135_800, dimension=64, heads=8),
            SpikingAttention(heads=16, key_size=64, value_size=64),
            ProgramSemantics(),
            Kuramoto(oscillators=372),
            HierarchicalRefinement(),
            MultiTokenPrediction(hidden=1488),
            JEPA(),
        ),
    )
    tokenizer = LengthMax(vocab_size=16_384, specials=tuple(f"<|special_{index}|>" for index in range(128)))
    optimizer = AdamW(matrix=1e-3, embedding=3e-3, neuron=5e-3)
    training = Training(batch=32, chunk=256, optimizer=optimizer, calibration=Calibration(rate=0.2))
    return Run(model=model, corpus=corpus_from("fineweb_finemath"), tokenizer=tokenizer, training=training)


def spikewhale_1m() -> Run:
    """SpikeWhale of 0.9 million parameters, without traits, for studies: 3 layers of 256 neurons, 2048 tokens."""
    return _run(SpikeWhale(width=256, depth=3, embedding=192), vocab_size=2048)


def spikewhale_6m() -> Run:
    """SpikeWhale of 5.7 million parameters for an hour on a laptop: 4 layers of 640 neurons, 4096 tokens."""
    return _run(SpikeWhale(width=640, depth=4, embedding=384), vocab_size=4096, optimizer=AdamW(matrix=2e-3))


def spikewhale_20m() -> Run:
    """SpikeWhale of 21 million parameters for a night on a laptop: 4 layers of 1280 neurons, 8192 tokens."""
    return _run(SpikeWhale(width=1280, depth=4, embedding=640), vocab_size=8192, optimizer=AdamW(matrix=1e-3))


def _run(model: SpikeWhale, vocab_size: int, optimizer: AdamW | None = None) -> Run:
    """Layers start at the rate that the firing floor asks for: one that starts below it is driven up, and overshoots. Wider
    matrices take smaller steps, about as 1 / width (Yang et al., 2022)."""
    tokenizer = BPE(vocab_size=vocab_size)
    model = replace(model, vocab_size=tokenizer.vocab_size)  # a run would fit it; listings count parameters before
    return Run(
        model=model,
        tokenizer=tokenizer,
        training=Training(optimizer=optimizer or AdamW(), calibration=Calibration(rate=0.2)),
    )
