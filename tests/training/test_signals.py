"""Signals in training: heard from the loss, told to the model, kept over a break, written down."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

import wetware
from wetware.config import with_
from wetware.data import Bytes, TextFiles
from wetware.modulation import Dopamine, FromLoss, FrozenStress, NeutralStress, Noradrenaline
from wetware.training import CheckpointError, Monitoring, Run, Steps, Trainer, Training, checkpoint
from wetware.training.metrics import read

NAMES = ["dopamine", "acetylcholine", "noradrenaline"]


@pytest.fixture
def run(tiny_text) -> Run:
    training = Training(batch=4, chunk=16, limit=Steps(count=20), schedule=wetware.Cosine(warmup=2))
    monitoring = Monitoring(evaluate_every=50, sample_every=50, log_every=1, checkpoint_every=50)
    corpus = TextFiles(path=str(tiny_text))
    return Run(
        model=wetware.tiny("bio_nanochat"), corpus=corpus, tokenizer=Bytes(), training=training, monitoring=monitoring
    )


def heard(trainer):
    return {name: tracker.to_dict() for name, tracker in trainer.trackers.items()}


def sensitivities(trainer):
    return {name: p.item() for name, p in trainer.model.named_parameters() if name.endswith("sensitivity")}


def test_signals_are_heard_told_and_learned_from(run, tmp_path):
    trainer = Trainer(run, tmp_path / "run")
    told = [trainer.update().signals for _ in range(16)]
    assert list(told[0]) == NAMES
    assert all(not any(signals.values()) for signals in told[:12])  # ten losses of warm-up; the first telling is 0
    assert all(signals["dopamine"] and signals["acetylcholine"] for signals in told[12:])
    learned = sensitivities(trainer)
    assert len(learned) == 6
    assert all(value for name, value in learned.items() if "noradrenaline" not in name)


def test_a_break_changes_nothing(run, tmp_path):
    whole, broken = Trainer(run, tmp_path / "whole"), Trainer(run, tmp_path / "broken")
    for _ in range(14):
        whole.update(), broken.update()
    broken.save()
    resumed = Trainer.resume(tmp_path / "broken")
    assert heard(resumed) == heard(whole)
    for _ in range(4):
        assert resumed.update().signals == whole.update().signals
    assert sensitivities(resumed) == sensitivities(whole)


def as_before(place, signals):
    """The checkpoint at ``place`` as it was written when stress was the only signal."""
    about = checkpoint.read_json(place / "trainer.json")
    del about["signals"]
    (place / "trainer.json").write_text(json.dumps(about | signals))
    checkpoint.seal(place)


@pytest.mark.parametrize("name", ["real_sam", "gpt"])
def test_a_checkpoint_that_knows_only_stress_goes_on(run, name, tmp_path):
    trainer = Trainer(replace(run, model=wetware.tiny(name)), tmp_path / "run")
    for _ in range(4):
        trainer.update()
    expected = heard(trainer)
    assert list(expected) == (["stress"] if name == "real_sam" else [])
    as_before(trainer.save(), {"stress": expected.get("stress", {"value": 0.5})})
    resumed = Trainer.resume(tmp_path / "run")
    assert heard(resumed) == expected
    assert resumed.update().loss == trainer.update().loss


def test_a_checkpoint_that_lacks_a_signal_is_damaged(run, tmp_path):
    trainer = Trainer(run, tmp_path / "run")
    trainer.update()
    as_before(trainer.save(), {"signals": {"dopamine": trainer.trackers["dopamine"].to_dict()}})
    with pytest.raises(CheckpointError, match="acetylcholine"):
        Trainer.resume(tmp_path / "run")


def test_only_what_is_there_is_heard(run, tmp_path):
    some = (Noradrenaline(source=FromLoss(warmup=2)), Dopamine())
    trainer = Trainer(with_(run, "model.neuromodulators", some), tmp_path / "some")
    assert list(trainer.trackers) == ["noradrenaline", "dopamine"]
    trainer = Trainer(with_(run, "model.neuromodulators", ()), tmp_path / "none")
    assert trainer.update().signals == {}


def test_signals_are_written_down(run, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trainer = Trainer(run, tmp_path / "run")
    trainer.fit()
    rows = [row for row in read(tmp_path / "run") if row["kind"] == "step"]
    assert rows[-1]["dopamine"] != 0.0
    assert all(name in row for row in rows for name in NAMES)
    assert "stress" not in rows[0] and "signals" not in rows[0]
    board = EventAccumulator(str(tmp_path / "run" / "tb"))
    board.Reload()
    assert {f"environment/{name}" for name in NAMES} <= set(board.Tags()["scalars"])


def sam(run, **inference):
    model = with_(wetware.tiny("real_sam"), "modulators.environment.inference", inference["inference"])
    return replace(run, model=model)


def test_stress_and_the_spread_of_gains_are_written_down(run, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trainer = Trainer(sam(run, inference=NeutralStress()), tmp_path / "run")
    trainer.fit()
    rows = [row for row in read(tmp_path / "run") if row["kind"] == "step"]
    assert rows[0]["stress"] == 0.5 and rows[0]["gain_spread"] == [0.0, 0.0]
    block = trainer.model.blocks[1]
    diversity = block.modulators["environment"].diversity
    expected = 0.5 * abs(rows[-1]["stress"] - 0.5) * float(diversity.std(correction=0))
    assert rows[-1]["gain_spread"][1] == pytest.approx(expected, rel=1e-4) and expected > 0
    board = EventAccumulator(str(tmp_path / "run" / "tb"))
    board.Reload()
    assert {"environment/stress", "environment/gain_spread/1"} <= set(board.Tags()["scalars"])


def test_what_a_model_is_used_at_moves_no_weight_and_the_last_stress_is_saved(run, tmp_path):
    frozen, neutral = (
        Trainer(sam(run, inference=inference), tmp_path / type(inference).__name__)
        for inference in (FrozenStress(), NeutralStress())
    )
    for _ in range(6):
        frozen.update(), neutral.update()
    weights = dict(neutral.model.named_parameters())
    assert all(torch.equal(value, weights[name]) for name, value in frozen.model.named_parameters())
    last = frozen.trackers["stress"].value
    assert last != 0.5
    resting = [block.modulators["environment"].resting.item() for block in frozen.model.blocks]
    assert resting == pytest.approx([last, last])
    resumed = Trainer.resume(frozen.save().parent.parent)
    assert [block.modulators["environment"].resting.item() for block in resumed.model.blocks] == resting
    assert resumed.update().signals == frozen.update().signals
    assert frozen.evaluate().nats != neutral.evaluate().nats
