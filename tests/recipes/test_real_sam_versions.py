"""Real Sam's versions: alike in size, each with its parts and no others, and each learns."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import wetware
from wetware.data import BPE, Characters
from wetware.training import Steps, Trainer

VERSIONS = (
    "real_sam_v1",
    "real_sam_v1_bpe",
    "real_sam_v2",
    "real_sam_v2_conversations",
    "real_sam_v3",
    "real_sam_v3_frozen",
    "real_sam_v4",
)


def model(name):
    with torch.device("meta"):
        return wetware.recipe(name).model.module()


@pytest.mark.parametrize("name", VERSIONS)
def test_all_are_of_one_size(name):
    assert model(name).parameter_count() == pytest.approx(model("real_sam_mini").parameter_count(), rel=0.01)


def test_what_a_version_is():
    v1, v2, v3, v4 = (wetware.recipe(f"real_sam_v{n}").model for n in range(1, 5))
    assert v1.block.relays_spikes and v1.block.neuron.normalise is None and v1.block.recurrence
    assert v4 == wetware.recipe("real_sam_mini").model
    assert replace(v2, modulators=v4.modulators, firing_target=v4.firing_target) == v4
    assert replace(v3, block=replace(v3.block, homeostasis=None)) == v2 and v3.block.homeostasis
    assert isinstance(wetware.recipe("real_sam_v1").tokenizer, Characters)
    assert all(isinstance(wetware.recipe(f"real_sam_v{n}").tokenizer, BPE) for n in (2, 3, 4))
    assert [len(model(name).rules()) for name in VERSIONS] == [0, 0, 0, 0, 2, 2, 0]


@pytest.mark.parametrize("name", ["real_sam_v1", "real_sam_v3"])
def test_it_learns(name, tiny_text, tmp_path):
    run = wetware.recipe(name)
    training = replace(run.training, batch=8, chunk=32, limit=Steps(count=12), schedule=wetware.Cosine(warmup=2))
    tokenizer = BPE(vocab_size=300) if name != "real_sam_v1" else run.tokenizer
    model = replace(run.model, width=64)
    text = wetware.TextFiles(path=str(tiny_text))
    trainer = Trainer(replace(run, model=model, training=training, corpus=text, tokenizer=tokenizer), tmp_path / "run")
    losses = [trainer.update().loss for _ in range(12)]
    assert losses[-1] < losses[0] - 0.5
    if name == "real_sam_v3":
        assert trainer.model.blocks[0].homeostasis.shift.abs().sum() > 0
