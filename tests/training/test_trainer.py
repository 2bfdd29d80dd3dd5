"""The loop: resume is bit for bit, parts of a batch are the batch, what is not finite is skipped, a signal saves."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

import wetware
from wetware.cell import save_effects
from wetware.config import with_
from wetware.data import Bytes, DataError, TextFiles
from wetware.modulation import packaged_effects
from wetware.training import (
    AfterMark,
    CheckpointError,
    Diverged,
    Monitoring,
    MuonAdamW,
    Reporter,
    Run,
    Steps,
    Trainer,
    Training,
    checkpoint,
)
from wetware.training.metrics import read


@pytest.fixture
def run(tiny_text) -> Run:
    monitoring = Monitoring(
        evaluate_every=4, evaluate_tokens=300, sample_every=5, sample_tokens=3, log_every=1, checkpoint_every=3, keep=2
    )
    training = Training(batch=4, chunk=16, limit=Steps(count=10), schedule=wetware.Cosine(warmup=2))
    model = replace(wetware.tiny("real_sam"), width=24)
    corpus = TextFiles(path=str(tiny_text))
    return Run(model=model, corpus=corpus, tokenizer=Bytes(), training=training, monitoring=monitoring)


def with_model(run, name):
    return replace(run, model=wetware.tiny(name))


class Killed(BaseException):
    """What no code of ours may catch."""


class KilledAt(Reporter):
    def __init__(self, step):
        self.last = step

    def step(self, report, progress):
        if report.step == self.last:
            raise Killed


def everything(trainer):
    """All that a run is made of, as tensors and numbers."""
    found = {f"model/{name}": value for name, value in trainer.model.state_dict().items()}
    found |= {f"optimizer/{name}": value for name, value in trainer.optimizers.tensors().items()}
    for index, state in enumerate(trainer.states):
        found |= {f"state/{index}/{name}": value for name, value in wetware.state.leaves(state)}
    found["random"] = torch.get_rng_state()
    heard = {name: tracker.to_dict() for name, tracker in trainer.trackers.items()}
    numbers = (trainer.step, trainer.tokens, trainer.best, trainer.skipped, heard)
    return found, numbers


def rows(folder):
    """Metrics without the clock."""
    clock = ("seconds", "tokens_per_second")
    return [{key: value for key, value in row.items() if key not in clock} for row in read(folder)]


def on_answers(run):
    """The same run on a memory task, its loss on the answers only."""
    task = wetware.Needle(count=60, held_out=40, shortest=8, longest=40)
    return replace(run, corpus=task, training=replace(run.training, counted=AfterMark()))


@pytest.mark.parametrize("variant", ["real_sam", "gpt", "muon", "accumulate", "answers"])
def test_interrupted_equals_uninterrupted(variant, run, tmp_path):
    run = with_model(run, variant) if variant in wetware.model_names() else run
    if variant == "muon":
        run = with_(run, "training.optimizer", MuonAdamW())
    run = on_answers(run) if variant == "answers" else run
    if variant in ("accumulate", "answers"):
        run = with_(run, "training.accumulate", 3)
    straight = Trainer(run, tmp_path / "straight")
    straight.fit()
    with pytest.raises(Killed):
        Trainer(run, tmp_path / "stopped", reporter=KilledAt(step=7)).fit()  # past the checkpoint of step 6
    torch.manual_seed(12345)
    resumed = Trainer.resume(tmp_path / "stopped")
    assert resumed.step == 6
    resumed.fit()
    (mine, my_numbers), (other, numbers) = everything(resumed), everything(straight)
    assert my_numbers == numbers
    assert mine.keys() == other.keys()
    for name in mine:
        assert torch.equal(mine[name], other[name]), name
    assert rows(tmp_path / "stopped") == rows(tmp_path / "straight")


def test_the_same_seed_gives_the_same_run(run, tmp_path):
    results = []
    for index, seed in enumerate((1, 1, 2)):
        trainer = Trainer(replace(run, seed=seed), tmp_path / str(index))
        trainer.fit()
        results.append(rows(tmp_path / str(index)))
    assert results[0] == results[1] != results[2]


@pytest.mark.parametrize("counted", ["every token", "answers"])
def test_parts_of_a_batch_add_up_to_the_batch(counted, run, tmp_path):
    """Without the firing loss, which is a function of the whole batch, accumulation only changes the order of sums: a part
    weighs as much as it has of what counts."""
    run = on_answers(run) if counted == "answers" else run
    run = with_(with_(run, "model.firing_target", None), "training.limit", Steps(count=3))
    ends = []
    for parts in (1, 2, 3):
        trainer = Trainer(with_(run, "training.accumulate", parts), tmp_path / str(parts))
        reports = [trainer.update() for _ in range(3)]
        ends.append(torch.tensor([(report.loss, report.norm, report.bits) for report in reports]))
    torch.testing.assert_close(ends[1], ends[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(ends[2], ends[0], atol=1e-4, rtol=0)


def test_what_is_not_finite_is_skipped(run, tmp_path, monkeypatch):
    from wetware.training import step as room

    trainer = Trainer(run, tmp_path / "run")
    trainer.update()
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    original = room.cross_entropy
    monkeypatch.setattr(room, "cross_entropy", lambda *arguments: original(*arguments) * float("nan"))
    assert trainer.update().skipped == 1
    assert all(torch.equal(before[name], value) for name, value in trainer.model.state_dict().items())
    monkeypatch.setattr(room, "cross_entropy", original)
    report = trainer.update()
    assert report.skipped == 1
    assert torch.isfinite(torch.tensor(report.loss))
    assert any(not torch.equal(before[name], value) for name, value in trainer.model.state_dict().items())


def test_it_learns(run, tmp_path):
    run = with_(run, "training.limit", Steps(count=120))
    trainer = Trainer(run, tmp_path / "run")
    first = trainer.evaluate(300).bits_per_byte
    trainer.fit()
    assert trainer.evaluate(300).bits_per_byte < 0.7 * first


def test_calibration_sets_the_firing_rate(run, tmp_path):
    trainer = Trainer(with_(run, "training.calibration.rate", 0.2), tmp_path / "run")
    report = trainer.update()
    assert all(0.15 < rate < 0.25 for rate in report.firing)


def test_only_answers_are_learned_and_scored(run, tmp_path):
    """A chunk's loss is that of its answers; one without any moves no stress; the held-out score has the answers' bytes."""
    run = with_(on_answers(run), "training.chunk", 1)  # one token a row: many chunks have no answer
    trainer = Trainer(run, tmp_path / "run")
    mark, empty = trainer.tokenizer.encode("=")[0], 0
    for _ in range(20):
        chunk, before = trainer.course.stream.at(trainer.step), dict(vars(trainer.trackers["stress"]))
        report = trainer.update()
        if not (chunk.inputs == mark).any():
            empty += 1
            assert report.loss == report.bits == 0.0
            assert vars(trainer.trackers["stress"]) == before
        else:
            assert report.bits == pytest.approx(report.loss / math.log(2), rel=1e-6)
    assert 0 < empty < 20
    assert trainer.evaluate().bytes == sum(text.count("=") for text in run.corpus.documents("validation"))


def test_a_rule_that_counts_nothing_says_so(run, tmp_path):
    with pytest.raises(DataError, match="AfterMark.marks='@'. counts no token of the training text"):
        Trainer(with_(on_answers(run), "training.counted.marks", "@"), tmp_path / "run")


def test_stress_is_fed_from_the_loss(run, tmp_path):
    trainer = Trainer(run, tmp_path / "run")
    stresses = [trainer.update().signals["stress"] for _ in range(5)]
    assert stresses[0] == 0.5  # neutral before the first loss
    assert len(set(stresses)) > 2
    saved = checkpoint.read_json(trainer.save() / "trainer.json")
    assert saved["signals"]["stress"]["value"] == trainer.trackers["stress"].value


def test_only_the_newest_and_the_best_are_kept(run, tmp_path):
    trainer = Trainer(with_(run, "training.limit", Steps(count=20)), tmp_path / "run")
    trainer.fit()
    kept = checkpoint.steps(tmp_path / "run")
    best = checkpoint.best(tmp_path / "run")
    assert best in kept
    assert len(kept) <= 3
    assert kept[-1].name == "step-00000020"
    held_out = [row for row in read(tmp_path / "run") if row["kind"] == "held_out"]
    assert best.name == f"step-{min(held_out, key=lambda row: row['bits_per_byte'])['step']:08d}"


def test_a_run_is_not_written_over(run, tmp_path):
    Trainer(run, tmp_path / "run").save()
    with pytest.raises(CheckpointError, match="--resume"):
        Trainer(run, tmp_path / "run")


def test_one_process_trains_into_a_folder(run, tmp_path):
    class Second(Reporter):
        def step(self, report, progress):
            if report.step == 1:
                with pytest.raises(CheckpointError, match="another process"):
                    Trainer(run, tmp_path / "run").fit()

    before = Trainer(run, tmp_path / "run", reporter=Second())
    before.fit()
    assert json.loads((tmp_path / "run" / "config.json").read_text()) == wetware.to_dict(before.run)


@pytest.mark.parametrize("name", ["config.json", "thesis.txt"])
def test_a_run_does_not_move_into_somebody_elses_folder(name, run, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / name).write_text('{"mine": 1}')
    with pytest.raises(CheckpointError, match="something else"):
        Trainer(run, folder)
    assert (folder / name).read_text() == '{"mine": 1}'
    wetware.save(wetware.tiny("gpt").build(), tmp_path / "model")
    with pytest.raises(CheckpointError, match="something else"):
        Trainer(run, tmp_path / "model")
    wetware.load(tmp_path / "model")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CheckpointError, match="is a file"):
        Trainer(run, tmp_path / "file")


def test_of_two_made_for_one_folder_the_second_is_refused(run, tmp_path):
    first, second = Trainer(run, tmp_path / "run"), Trainer(replace(run, seed=1), tmp_path / "run")
    first.fit()
    with pytest.raises(CheckpointError, match="another process"):
        second.fit()
    assert json.loads((tmp_path / "run" / "config.json").read_text()) == wetware.to_dict(first.run)
    stale = Trainer.resume(tmp_path / "run", limit=Steps(count=12))
    Trainer.resume(tmp_path / "run", limit=Steps(count=11)).fit()
    with pytest.raises(CheckpointError, match="another process"):
        stale.fit()


def test_resume_refuses_weights_that_are_not_those_saved(run, tmp_path):
    trainer = Trainer(run, tmp_path / "run")
    trainer.fit()
    older, last = checkpoint.steps(tmp_path / "run")[-2:]
    for name in ("model.safetensors", "trainer.safetensors"):
        content = bytearray((last / name).read_bytes())
        content[-2] ^= 1
        (last / name).write_bytes(content)
        with pytest.raises(
            CheckpointError, match=f"not what was written; remove that folder to go on from {older.name}"
        ):
            Trainer.resume(tmp_path / "run")
        content[-2] ^= 1
        (last / name).write_bytes(content)
    Trainer.resume(tmp_path / "run")


def test_a_kill_before_the_best_is_marked(run, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:

        def die(*_):
            raise Killed

        patch.setattr(checkpoint, "mark_best", die)
        with pytest.raises(Killed):
            Trainer(run, tmp_path / "run").fit()
    last = checkpoint.steps(tmp_path / "run")[-1]
    assert checkpoint.best(tmp_path / "run") is None
    Trainer.resume(tmp_path / "run", limit=Steps(count=4)).fit()
    assert checkpoint.best(tmp_path / "run") == last


@pytest.mark.parametrize("damage", ["[]", "null", "{", '{"checkpoint": "../../elsewhere"}'])
def test_a_lost_pointer_to_the_best_loses_nothing(damage, run, tmp_path):
    Trainer(run, tmp_path / "run").fit()
    (tmp_path / "run" / "checkpoints" / "best.json").write_text(damage)
    wetware.load(tmp_path / "run")
    Trainer.resume(tmp_path / "run", limit=Steps(count=11)).fit()


def test_damaged_metrics_do_not_stop_a_run(run, tmp_path):
    Trainer(run, tmp_path / "run").fit()
    before = rows(tmp_path / "run")
    with (tmp_path / "run" / "metrics.jsonl").open("ab") as file:
        file.write(b'[]\nnull\n{}\n\xff\xfe\n{"step": 3')
    Trainer.resume(tmp_path / "run", limit=Steps(count=11)).fit()
    assert rows(tmp_path / "run")[: len(before)] == before


def test_a_run_that_cannot_go_on_says_so(run, tmp_path):
    run = with_(with_(run, "model.firing_target.weight", 1e300), "training.limit", Steps(count=500))
    with pytest.raises(Diverged, match="50 steps in a row"):
        Trainer(run, tmp_path / "run").fit()


def read_inputs(trainer, seen):
    """Note the state that each forward of the model is given."""
    original = trainer.model.forward

    def forward(tokens, state=None, **keywords):
        seen.append(state)
        return original(tokens, state, **keywords)

    trainer.model.forward = forward


def blank(state):
    return all(bool((tensor == 0).all()) for _, tensor in wetware.state.leaves(state))


def test_state_is_carried_within_an_epoch_and_dropped_at_its_end(run, tmp_path):
    trainer = Trainer(with_(run, "training.chunk", 512), tmp_path / "run")
    epoch, seen = trainer.course.stream.steps_per_epoch, []
    read_inputs(trainer, seen)
    for _ in range(epoch + 2):
        trainer.update()
    fresh = [index for index, state in enumerate(seen) if blank(state)]
    assert epoch > 2
    assert fresh == [0, epoch]


def test_a_skipped_step_drops_the_state(run, tmp_path, monkeypatch):
    from wetware.training import step as room

    trainer, seen = Trainer(run, tmp_path / "run"), []
    read_inputs(trainer, seen)
    trainer.update()
    original = room.cross_entropy
    with monkeypatch.context() as patch:
        patch.setattr(room, "cross_entropy", lambda *arguments: original(*arguments) * float("nan"))
        trainer.update()
    trainer.update()
    assert [blank(state) for state in seen] == [True, False, True]


def test_a_gradient_beyond_the_clip_is_scaled_to_it(run, tmp_path, monkeypatch):
    from wetware.training import step as room

    trainer = Trainer(with_(run, "training.clip", 0.01), tmp_path / "run")
    norms = []
    monkeypatch.setattr(trainer.optimizers, "step", lambda factor: norms.append(room.gradient_norm(trainer.model)))
    report = trainer.update()
    assert report.norm > 0.1
    assert norms == [pytest.approx(0.01, rel=1e-4)]


def test_the_random_state_is_restored(run, tmp_path):
    trainer = Trainer(run, tmp_path / "run")
    torch.manual_seed(4242)
    trainer.save()
    expected = torch.rand(3)
    torch.manual_seed(1)
    Trainer.resume(tmp_path / "run")
    assert torch.equal(torch.rand(3), expected)


def test_nothing_to_resume(tmp_path):
    with pytest.raises(CheckpointError, match="nothing to resume"):
        Trainer.resume(tmp_path)


def test_a_text_too_small_says_what_to_lower(run, tmp_path):
    with pytest.raises(DataError, match=r"batch|chunk"):
        Trainer(with_(run, "training.batch", 100_000), tmp_path / "run")


SCRIPT = """
import sys
from wetware.cli import main
sys.exit(main(sys.argv[1:]))
"""


def command(tiny_text, folder, *more):
    settings = [
        "training.batch=4",
        "training.chunk=16",
        "tokenizer=Bytes",
        "model.width=24",
        "model.depth=2",
        "model.encoder.bits=16",
    ]
    settings += ["monitoring.checkpoint_every=5", "monitoring.evaluate_every=1000", "monitoring.sample_every=1000"]
    pairs = [word for setting in settings for word in ("--set", setting)]
    data = ["--data", str(tiny_text), "--out", str(folder), "--threads", "1"]
    return [sys.executable, "-c", SCRIPT, "train", "real_sam_small", *data, *pairs, *more]


def wait_for(condition, process, seconds=60.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("waited in vain")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint_and_resume_goes_on(number, tiny_text, tmp_path):
    folder = tmp_path / "run"
    process = subprocess.Popen(command(tiny_text, folder, "--steps", "100000"), stdout=subprocess.PIPE, text=True)
    wait_for(lambda: checkpoint.steps(folder), process)
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "--resume" in out
    last = checkpoint.steps(folder)[-1]
    step = int(last.name.split("-")[1])
    assert json.loads((last / "trainer.json").read_text())["step"] == step
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            SCRIPT,
            "train",
            "real_sam_small",
            "--out",
            str(folder),
            "--resume",
            "--steps",
            str(step + 3),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"resumed {folder} at step {step}" in done.stdout.replace("\n", " ")
    assert checkpoint.steps(folder)[-1].name == f"step-{step + 3:08d}"


def test_a_kill_at_any_moment_leaves_the_last_checkpoint_whole(tiny_text, tmp_path):
    """SIGKILL while the trainer writes a checkpoint at every step: what has its final name can always be resumed."""
    folder = tmp_path / "run"
    start = command(tiny_text, folder, "--steps", "100000", "--set", "monitoring.checkpoint_every=1")
    resume = [
        sys.executable,
        "-c",
        SCRIPT,
        "train",
        "real_sam_small",
        "--out",
        str(folder),
        "--resume",
        "--steps",
        "100000",
    ]
    seen = 0
    for attempt in range(3):
        process = subprocess.Popen(
            resume if attempt else start, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        steps = lambda: int(checkpoint.steps(folder)[-1].name.split("-")[1]) if checkpoint.steps(folder) else 0  # noqa: E731
        reached = steps() + 3
        wait_for(lambda: steps() >= reached, process)  # noqa: B023
        time.sleep(0.013 * (attempt + 1))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert steps() >= reached > seen
        seen = steps()
        _, tokenizer = wetware.load(checkpoint.steps(folder)[-1])
        assert tokenizer is not None
        assert Trainer.resume(folder).step == seen
    Trainer.resume(folder, limit=Steps(count=seen)).fit()
    assert not list((folder / "checkpoints").glob(".*.partial"))


def test_a_kill_in_the_middle_of_a_write_loses_nothing(run, tmp_path, monkeypatch):
    """Every point between the files of a checkpoint: die there, and the run resumes from the one before."""
    trainer = Trainer(run, tmp_path / "run")
    trainer.update()
    trainer.save()
    trainer.update()
    real = checkpoint.sync
    points = 7  # six files and the folder that holds them
    for survived in range(points + 1):
        count = 0

        def die(path, survived=survived):
            nonlocal count
            if count == survived:
                raise Killed
            count += 1
            real(path)

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, "sync", die)
            patch.setattr(checkpoint.shutil, "rmtree", lambda *_, **__: None)  # a kill does not tidy up
            with pytest.raises(Killed):
                trainer.save()
        last = checkpoint.steps(tmp_path / "run")[-1]
        wetware.load(last)
        if last.name.endswith("1"):
            assert survived < points
    assert Trainer.resume(tmp_path / "run").step in (1, 2)


def test_a_run_goes_on_without_the_file_its_programs_came_from(run, tmp_path):
    """What a model was drawn from is not asked for again: the checkpoint has it."""
    effects = tmp_path / "effects.safetensors"
    save_effects(packaged_effects(), effects)
    programs = f"ProgramFile(path={effects}, seed=5)"
    model = with_(wetware.tiny("spikewhale"), "modulators.gene_program.programs", programs)
    run = with_(with_(run, "model", model), "training.limit.count", 3)
    trainer = Trainer(run, tmp_path / "run")
    trainer.fit()
    held = trainer.model.modulators["gene_program"].programs.clone()
    effects.unlink()
    resumed = Trainer.resume(tmp_path / "run", limit=Steps(count=5))
    assert torch.equal(resumed.model.modulators["gene_program"].programs, held)
    resumed.fit()
    assert resumed.step == 5
    assert wetware.load(tmp_path / "run")[0].parameter_count() == trainer.model.parameter_count()
