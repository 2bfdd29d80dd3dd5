"""Training from text that is packed while it is read: the same loop, the same exactness, and no text lost to a network."""

from __future__ import annotations

import json
import shutil
import signal
import time
from dataclasses import replace

import pytest
import torch

import wetware
from wetware.config import with_
from wetware.data import Bytes, DataError, Growing, HubDataset, Mixture, Part
from wetware.training import CheckpointError, Monitoring, Reporter, Run, Steps, Trainer, Training, checkpoint
from wetware.training.metrics import read

STEPS = 40  # blocks of 12: three seams


@pytest.fixture
def run(hub, monkeypatch, tmp_path) -> Run:
    """A tiny GPT on a mixture from the hub; batches so small that the network is needed all the time."""
    monkeypatch.setenv("WETWARE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("wetware.data.mixing.BATCH_CHARACTERS", 500)
    mixture = Mixture(
        parts=(
            Part(name="pages", corpus=HubDataset(name="short/pages", held_out=0.1), share=0.75),
            Part(name="proofs", corpus=HubDataset(name="long/proofs", held_out=0.1), share=0.25),
        ),
        block=800,
        held_out_documents=8,
    )
    monitoring = Monitoring(
        evaluate_every=40, evaluate_tokens=200, sample_every=1000, sample_tokens=2, log_every=1, checkpoint_every=10
    )
    training = Training(batch=4, chunk=16, limit=Steps(count=STEPS))
    return Run(model=wetware.tiny("gpt"), corpus=mixture, tokenizer=Bytes(), training=training, monitoring=monitoring)


class Killed(BaseException):
    """What no code of ours may catch."""


class At(Reporter):
    """Does something after a step."""

    def __init__(self, step, act):
        self.at, self.act = step, act

    def step(self, report, progress):
        if report.step == self.at:
            self.act()


def kill():
    raise Killed


def losses(folder):
    return [row["loss"] for row in read(folder) if row["kind"] == "step"]


def assert_same_end(one, other, folders):
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name]), name
    first, second = (losses(folder) for folder in folders)
    assert first == second and len(first) == STEPS


@pytest.fixture
def straight(run, tmp_path):
    trainer = Trainer(run, tmp_path / "straight")
    assert trainer.course.stream.steps_per_epoch == 12 and isinstance(trainer.train, Growing)
    trainer.fit()
    return trainer


@pytest.mark.parametrize(("step", "cache"), [(3, "kept"), (15, "kept"), (24, "kept"), (24, "lost"), (38, "lost")])
def test_interrupted_equals_uninterrupted(run, straight, tmp_path, monkeypatch, step, cache):
    folders = tmp_path / "stopped", tmp_path / "straight"
    monkeypatch.setenv("WETWARE_CACHE", str(tmp_path / "another"))
    trainer = Trainer(run, folders[0], reporter=At(step, kill))
    with pytest.raises(Killed):
        trainer.fit()
    if step < 10:
        with pytest.raises(CheckpointError, match="holds no checkpoint"):
            Trainer.resume(folders[0])
        return
    if cache == "lost":
        shutil.rmtree(tmp_path / "another")
    resumed = Trainer.resume(folders[0])
    assert resumed.step == step // 10 * 10
    resumed.fit()
    assert_same_end(resumed, straight, folders)
    if cache == "lost" and step == 38:  # of block 2, whose place the checkpoint knows, nothing before was needed
        made = {path.name for path in (tmp_path / "another" / "packed").glob("blocks-*/block-*")}
        assert "block-000001" not in made and "block-000002" in made


def test_a_network_that_is_gone_leaves_a_checkpoint_and_the_run_goes_on_when_it_is_back(
    run, hub, straight, tmp_path, monkeypatch
):
    folders = tmp_path / "broken", tmp_path / "straight"
    monkeypatch.setenv("WETWARE_CACHE", str(tmp_path / "another"))
    broken = False

    def before(name, row):
        if broken:
            raise ConnectionError("no route to host")

    def breaks():
        nonlocal broken
        broken = True

    hub.before = before
    trainer = Trainer(run, folders[0], reporter=At(14, breaks))
    with pytest.raises(DataError) as caught:
        trainer.fit()
    message = str(caught.value)
    assert "cannot stream hf:" in message and "ConnectionError: no route to host" in message
    assert f"stopped at step {trainer.step} with a checkpoint: --resume goes on" in message and "\n" not in message
    assert trainer.step in (24, 36), "all that was packed was learned"
    assert checkpoint.steps(folders[0])[-1].name == f"step-{trainer.step:08d}"
    with pytest.raises(DataError, match="no route"):
        Trainer.resume(folders[0]).fit()
    broken = False
    resumed = Trainer.resume(folders[0])
    assert resumed.step == trainer.step
    resumed.fit()
    assert_same_end(resumed, straight, folders)


def test_a_network_that_only_stutters_is_not_noticed(run, hub, straight, tmp_path, monkeypatch):
    folders = tmp_path / "stuttering", tmp_path / "straight"
    monkeypatch.setenv("WETWARE_CACHE", str(tmp_path / "another"))
    calls = 0

    def before(name, row):
        nonlocal calls
        calls += 1
        if calls % 7 == 0:
            raise ConnectionError("reset by peer")

    hub.before = before
    trainer = Trainer(run, folders[0])
    trainer.fit()
    assert_same_end(trainer, straight, folders)


def test_a_signal_is_heard_while_waiting_for_text(run, hub, straight, tmp_path, monkeypatch):
    folders = tmp_path / "signalled", tmp_path / "straight"
    monkeypatch.setenv("WETWARE_CACHE", str(tmp_path / "another"))
    slow = False

    class Impatient(At):
        def busy(self, text):
            if slow and text.startswith("packing"):
                signal.raise_signal(signal.SIGINT)

    def slows():
        nonlocal slow
        slow = True

    hub.before = lambda name, row: time.sleep(0.3 if slow else 0)
    trainer = Trainer(run, folders[0], reporter=Impatient(14, slows))
    stopped = trainer.fit()
    assert stopped.signal == signal.SIGINT and stopped.step in (24, 36)
    slow = False
    resumed = Trainer.resume(folders[0])
    assert resumed.step == stopped.step
    resumed.fit()
    assert_same_end(resumed, straight, folders)


def test_the_checkpoint_knows_the_place(straight, tmp_path):
    last = checkpoint.steps(tmp_path / "straight")[-1]
    about = json.loads((last / "trainer.json").read_text())
    assert about["step"] == STEPS
    assert about["place"] == straight.train.epoch(STEPS // 12 - 1).end
    assert set(about["place"]) == {"pages", "proofs"}


def test_the_order_in_a_block_is_the_runs_and_the_blocks_are_not(run, straight, tmp_path):
    other = Trainer(replace(run, seed=5), tmp_path / "other")
    assert other.train.key == straight.train.key
    assert not torch.equal(other.course.stream.at(0).inputs, straight.course.stream.at(0).inputs)


def test_other_knobs_of_a_mixture(run, straight, tmp_path):
    """``block`` says what is read, ``keep`` does not."""
    trainer = Trainer(with_(run, "corpus.keep", 1), tmp_path / "kept")
    trainer.fit()
    assert_same_end(trainer, straight, (tmp_path / "kept", tmp_path / "straight"))
    kept = {path.parent.name for path in trainer.train.root.glob("*/tokens-*.bin")}
    assert kept == {"block-000000", "block-000003", "block-000004"}  # the first, the last, and the one ahead
    larger = Trainer(with_(run, "corpus.block", 1500), tmp_path / "larger")
    assert not torch.equal(larger.course.stream.at(0).inputs, straight.course.stream.at(0).inputs)


def test_every_measure_of_the_text_sees_a_sample(straight):
    from wetware.evaluation.ngrams import references

    lines = references(straight.train, straight.held_out, straight.tokenizer.token_bytes)
    assert all(1 < line.bits_per_byte < 8 for line in lines)
