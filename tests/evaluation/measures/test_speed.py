"""Speed: not how fast, but that what is named is what was measured, and that nothing is changed by it."""

from dataclasses import replace

import pytest
import torch

import wetware
from wetware.evaluation.measures.speed import Speed
from wetware.evaluation.training_steps import training_steps
from wetware.layers import SelfAttention
from wetware.models.generation import Sampling, Session
from wetware.state import size
from wetware.training import Run, Training

QUICK = Speed(steps=2, tokens=16, block=8, prompts=(16, 64))
RUN = Run(training=Training(batch=2, chunk=16))


def test_figures(subject):
    it = subject("real_sam", run=RUN)
    before = {name: tensor.clone() for name, tensor in it.model.state_dict().items()}
    figures = QUICK.take(it, lambda share: None)
    assert all(torch.equal(tensor, before[name]) for name, tensor in it.model.state_dict().items())
    assert (figures["training"]["batch"], figures["training"]["chunk"]) == (2, 16)
    assert figures["training"]["tokens_per_second"] == pytest.approx(32 / figures["training"]["seconds_per_step"])
    assert 0 < figures["writing"]["median_seconds"] <= figures["writing"]["p95_seconds"]
    assert figures["engine"] == type(Session(it.model, Sampling()).engine).__name__
    assert [line["tokens"] for line in figures["prompt"]] == [16, 64]
    memory = figures["peak_memory"]
    if memory is not None:  # Windows does not tell
        stages = [memory[name] for name in ("with_model", "after_writing", "after_training")]
        assert stages == sorted(stages)
        assert 50 * 2**20 < stages[0] < 2**34
    assert "at this moment" in QUICK.table(figures).note


def test_a_cache_grows_and_a_membrane_does_not(subject, monkeypatch):
    monkeypatch.setattr("wetware.evaluation.measures.speed.peak_memory", lambda *_: None)
    state = {}
    for name, config in (
        ("real_sam", wetware.tiny("real_sam")),
        ("gpt", replace(wetware.tiny("gpt"), attention=SelfAttention(heads=2))),
    ):
        it = subject(config, run=RUN)
        state[name] = QUICK.take(it, lambda share: None)["state_bytes"]
    assert state["real_sam"]["64"] == state["real_sam"]["1088"] == size(subject("real_sam").model.init_state(1))
    assert state["gpt"]["1088"] > 10 * state["gpt"]["64"]


def test_a_batch_in_parts_is_the_same_step():
    config = wetware.tiny("gpt")
    text = torch.randint(0, 67, (4, 9), generator=torch.Generator().manual_seed(0))
    made = []
    for parts in (1, 2):
        model = config.build(seed=0)
        losses = list(
            training_steps(model, Training(batch=4, accumulate=parts), [(text[:, :-1], text[:, 1:], None)] * 5)
        )
        made.append((losses, model.table.detach()))
    assert made[0][0] == pytest.approx(made[1][0], rel=1e-4)
    assert made[0][0][-1] < made[0][0][0]
