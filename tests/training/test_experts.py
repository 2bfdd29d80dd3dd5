"""A run in which experts split and merge: the loss goes on, a resumed run is the same run, every optimizer can do it."""

from __future__ import annotations

import itertools
import statistics
from dataclasses import replace

import pytest
import torch

import wetware
from wetware.config import with_
from wetware.data import Bytes, TextFiles
from wetware.layers import Lifecycle
from wetware.layers.lifecycle import Succession
from wetware.training import Monitoring, MuonAdamW, Run, Steps, Trainer, Training
from wetware.training.losses import cross_entropy
from wetware.training.metrics import read

LIFE = Lifecycle(every=5, rate=0.1, min_age=10, quantile=0.4, poor=0.5, similar=0.3, patience=20)


@pytest.fixture
def run(tiny_text) -> Run:
    watch = Monitoring(
        evaluate_every=10_000, sample_every=10_000, checkpoint_every=50, log_every=1, evaluate_tokens=100
    )
    model = with_(wetware.tiny("bio_nanochat"), "experts.lifecycle", LIFE)
    training = Training(batch=4, chunk=32, limit=Steps(count=120), schedule=wetware.Cosine(warmup=5))
    corpus = TextFiles(path=str(tiny_text), held_out=0.2)
    return Run(model=model, corpus=corpus, tokenizer=Bytes(), training=training, monitoring=watch)


def test_the_loss_goes_on_through_every_event(run, tmp_path, monkeypatch):
    """Measured on the batch of the step before and after each event: a smaller step than from one batch to the next."""
    trainer = Trainer(run, tmp_path / "run")
    jumps, done = {}, Succession._do

    @torch.no_grad()
    def loss():
        chunk = trainer.course.stream.at(trainer.step - 1)
        return float(cross_entropy(trainer.model(chunk.inputs).logits, chunk.targets))

    def watched(self, decision, between):
        before = loss()
        event = done(self, decision, between)
        jumps.setdefault(decision.what, []).append(abs(loss() - before))
        return event

    monkeypatch.setattr(Succession, "_do", watched)
    trainer.fit()
    rows = read(tmp_path / "run")
    losses = [row["loss"] for row in rows if row["kind"] == "step"][50:]
    usual = statistics.median(abs(b - a) for a, b in itertools.pairwise(losses))
    events = [row for row in rows if row["kind"] == "event" and row["rule"].endswith("experts")]
    assert {"split", "merge"} <= jumps.keys()
    assert sum(map(len, jumps.values())) == len(events)
    assert max(jumps["split"] + jumps["merge"]) < usual
    assert losses[-1] < losses[0]
    assert any("experts" in event["rule"] for event in events)


def test_resumed_in_the_middle_it_is_the_same_run(run, tmp_path):
    whole = Trainer(with_(run, "training.limit.count", 100), tmp_path / "whole")
    whole.fit()
    cut = Trainer(with_(run, "training.limit.count", 100), tmp_path / "cut")
    while cut.step < 50:
        cut.update()
    cut.save()
    resumed = Trainer.resume(tmp_path / "cut")
    resumed.fit()
    assert (
        [r for r in read(tmp_path / "whole") if r["kind"] == "event" and r["step"] > 50]
        == [r for r in read(tmp_path / "cut") if r["kind"] == "event"]
        != []
    )
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    mine, other = whole.optimizers.tensors(), resumed.optimizers.tensors()
    assert all(torch.equal(value, other[name]) for name, value in mine.items())


def test_muon_trains_it(run, tmp_path):
    short = replace(run, training=replace(run.training, limit=Steps(count=60), optimizer=MuonAdamW()))
    Trainer(short, tmp_path / "run").fit()
    rows = read(tmp_path / "run")
    losses = [row["loss"] for row in rows if row["kind"] == "step"]
    assert losses[-1] < losses[0] - 0.5
    assert any(row["kind"] == "event" for row in rows)
