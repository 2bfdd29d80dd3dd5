"""A run with phases: it advances by itself, goes on bit for bit across a transition, and replays what came before."""

from dataclasses import replace

import pytest
import torch

import wetware
from wetware.config import with_
from wetware.data import Bytes, Clauses, Conversations, DataError, TextFiles, WholeText, Words
from wetware.training import (
    AfterMark,
    AtCap,
    Converged,
    Curriculum,
    Monitoring,
    Phase,
    Reporter,
    Rewarm,
    Run,
    ShareCap,
    TokenCap,
    Tokens,
    Trainer,
    Training,
)
from wetware.training.metrics import read

THREE = (
    Phase(name="words", text=Words(), chunk=4, cap=TokenCap(count=64)),
    Phase(name="phrases", text=Clauses(), chunk=8, cap=TokenCap(count=128)),
    Phase(name="whole", text=WholeText(), chunk=16),
)
EAGER = Converged(window=2, flat=0.05, tests=1, every=0.05, tokens=100)


@pytest.fixture
def run(tiny_text) -> Run:
    """Of a batch of four one lane replays; 16, 32, then 64 tokens a step."""
    monitoring = Monitoring(evaluate_every=50, evaluate_tokens=200, sample_tokens=2, log_every=1, checkpoint_every=3)
    training = Training(
        batch=4,
        chunk=16,
        limit=Tokens(count=448),
        schedule=wetware.Cosine(warmup=1),
        curriculum=Curriculum(phases=THREE, transition=AtCap()),
    )
    model = replace(wetware.tiny("real_sam"), width=24)
    corpus = TextFiles(path=str(tiny_text))
    return Run(model=model, corpus=corpus, tokenizer=Bytes(), training=training, monitoring=monitoring)


def rows(folder, *kinds):
    clock = ("seconds", "tokens_per_second")
    found = read(folder)
    return [{k: v for k, v in row.items() if k not in clock} for row in found if not kinds or row["kind"] in kinds]


class Killed(BaseException):
    """What no code of ours may catch."""


class KilledAt(Reporter):
    def __init__(self, step):
        self.last = step

    def step(self, report, progress):
        if report.step == self.last:
            raise Killed


def test_phases_follow_each_other_and_tell_how_they_end(run, tmp_path):
    places = []

    class Watching(Reporter):
        def where(self, text):
            places.append(text)

    Trainer(run, tmp_path / "run", reporter=Watching()).fit()
    told = rows(tmp_path / "run", "phase")
    seen = [(row["event"], row["phase"], row["chunk"], row["tokens"], row["phase_tokens"], row["why"]) for row in told]
    assert seen == [
        ("start", "words", 4, 0, 0, None),
        ("end", "words", 4, 64, 64, "cap"),
        ("start", "phrases", 8, 64, 0, None),
        ("end", "phrases", 8, 192, 128, "cap"),
        ("start", "whole", 16, 192, 0, None),
        ("end", "whole", 16, 448, 256, "limit"),
    ]
    # one model, two phases: the same score of the same whole text, and another of each one's own
    assert told[1]["fixed_bits_per_byte"] == told[2]["fixed_bits_per_byte"] != told[0]["fixed_bits_per_byte"]
    assert told[1]["loss"] != told[2]["loss"]
    assert all(0 < row["mean_firing"] < 1 and row["perplexity"] > 1 for row in told)
    assert list(dict.fromkeys(places)) == [
        "phase 1/3 words, 4 tokens",
        "phase 2/3 phrases, 8 tokens",
        "phase 3/3 whole, 16 tokens",
    ]


@pytest.mark.parametrize("stopped", [4, 7, 9])
def test_interrupted_equals_uninterrupted(stopped, run, tmp_path):
    """Killed before, at and after transitions, which come after steps 4 and 8; checkpoints are of steps 3, 6 and 9."""
    run = with_(run, "training.curriculum.transition", Converged(every=0.03, tokens=100, flat=0.0, window=4))
    run = with_(run, "training.curriculum.rewarm", Rewarm(peak=1.0, rise=0.05, fall=0.2))
    Trainer(run, tmp_path / "straight").fit()
    with pytest.raises(Killed):
        Trainer(run, tmp_path / "killed", reporter=KilledAt(stopped + 1)).fit()
    torch.manual_seed(12345)
    resumed = Trainer.resume(tmp_path / "killed")
    resumed.fit()
    straight = Trainer.resume(tmp_path / "straight")
    assert rows(tmp_path / "killed") == rows(tmp_path / "straight")
    mine, other = (trainer.course.to_dict(trainer.step) for trainer in (resumed, straight))
    assert mine | {"begun": None} == other | {"begun": None}  # that has the clock in it
    assert mine["begun"][:2] == other["begun"][:2]
    assert _same(resumed.model.state_dict(), straight.model.state_dict())
    assert _same(resumed.optimizers.tensors(), straight.optimizers.tensors())


def _same(mine, other):
    return mine.keys() == other.keys() and all(torch.equal(mine[name], other[name]) for name in other)


def test_a_loss_that_no_longer_falls_ends_a_phase(run, tmp_path):
    """By a learning rate of almost nothing the loss is flat; a cap that is far away does not matter."""
    run = with_(run, "training.curriculum.transition", EAGER)
    run = with_(run, "training.curriculum.phases.words.cap", None)
    for name in ("matrix", "embedding", "neuron"):
        run = with_(run, f"training.optimizer.{name}", 1e-9)
    Trainer(run, tmp_path / "run").fit()
    ends = [row for row in rows(tmp_path / "run", "phase") if row["event"] == "end"]
    # every 22.4 tokens of 448, at the first step of 16 after: at 32 and 48
    assert [(row["phase"], row["why"], row["tokens"]) for row in ends][:1] == [("words", "converged", 48)]
    assert [row["why"] for row in ends] == ["converged", "converged", "limit"]


def test_one_lane_replays_earlier_text(run, tmp_path):
    trainer = Trainer(run, tmp_path / "run")
    course = trainer.course
    first = course.lesson(0)
    assert first.inputs.shape == (4, 4) and len(course.desk.streams) == 1
    for _ in range(8):
        trainer.update()
        course.after(trainer.moment, trainer._examine)
    assert course.where == "phase 3/3 whole, 16 tokens"
    lesson = course.lesson(trainer.step)
    main, replay = course.desk.streams
    assert lesson.inputs.shape == (4, 16) and lesson.fresh
    assert torch.equal(lesson.inputs[:3], main.at(0).inputs) and torch.equal(lesson.inputs[3:], replay.at(0).inputs)
    # documents of a few words: a boundary every few tokens, which whole documents do not have
    boundary = trainer.tokenizer.boundary
    steps = [course.lesson(trainer.step + index).inputs == boundary for index in range(20)]
    assert sum(step[3].sum() for step in steps) > 10 > sum(step[:3].sum() for step in steps)
    without = Trainer(with_(run, "training.curriculum.replay", None), tmp_path / "without").course
    assert all(len(desk.streams) == 1 for desk in without._desks)


def test_the_rate_is_warmed_again_after_a_transition(run, tmp_path):
    run = with_(run, "training.curriculum.rewarm", Rewarm(peak=1.0, rise=0.0, fall=0.3))
    plain = with_(run, "training.curriculum.rewarm", None)
    factors = {}
    for name, each in (("warmed", run), ("plain", plain)):
        Trainer(each, tmp_path / name).fit()
        factors[name] = [row["factor"] for row in rows(tmp_path / name, "step")]
    differ = [a > b for a, b in zip(factors["warmed"], factors["plain"], strict=True)]
    assert differ[:4] == [False] * 4 and differ[5] and factors["warmed"][4] == factors["warmed"][8] == 1.0
    assert factors["warmed"][-1] < 1.0


def test_the_limit_ends_the_run_wherever_it_is(run, tmp_path):
    trainer = Trainer(with_(run, "training.limit", Tokens(count=100)), tmp_path / "run")
    trainer.fit()
    last = rows(tmp_path / "run", "phase")[-1]
    assert (last["phase"], last["event"], last["why"], last["tokens"]) == ("phrases", "end", "limit", 128)
    more = Trainer.resume(tmp_path / "run", limit=Tokens(count=300))
    more.fit()
    last = rows(tmp_path / "run", "phase")[-1]
    assert (last["phase"], last["event"], last["why"], last["tokens"]) == ("whole", "end", "limit", 320)


def test_caps_by_share_grow_with_the_run(run, tmp_path):
    for name in ("words", "phrases"):
        run = with_(run, f"training.curriculum.phases.{name}.cap", ShareCap(share=0.25))
    Trainer(run, tmp_path / "run").fit()
    ends = [row["tokens"] for row in rows(tmp_path / "run", "phase") if row["event"] == "end"]
    assert ends == [112, 240, 496]  # the first step of 16, 32 and 64 tokens at which 112 are done, 224, and 448 in all


def test_conversations_bring_their_special_tokens(run, tmp_path):
    talk = Phase(name="conversations", text=Conversations(count=200), chunk=16)
    run = with_(run, "training.curriculum.phases", (THREE[0], talk))
    trainer = Trainer(run, tmp_path / "run")
    assert trainer.model.vocab_size == 257 + 3
    trainer.fit()
    assert Trainer.resume(tmp_path / "run").tokenizer.fingerprint() == trainer.tokenizer.fingerprint()
    special = trainer.course.lesson(trainer.step).inputs >= 257
    assert special[:3].any() and not special[3].any()


def test_what_counts_in_a_phase(run, tmp_path):
    """The phase's own lanes count after a mark only, the lane that replays counts whole."""
    run = with_(run, "training.curriculum.phases.phrases.counted", AfterMark(marks="e"))
    trainer = Trainer(run, tmp_path / "run")
    assert trainer.course.lesson(0).counted is None
    for _ in range(4):
        trainer.update()
        trainer.course.after(trainer.moment, trainer._examine)
    lesson = trainer.course.lesson(trainer.step)
    assert lesson.counted is not None and lesson.counted[3].all()
    assert torch.equal(lesson.counted[:3], lesson.inputs[:3] == ord("e") + 1)
    with pytest.raises(DataError, match="phase words: .* counts no token"):
        Trainer(with_(run, "training.curriculum.phases.words.counted", AfterMark(marks="@")), tmp_path / "other")


def test_too_little_text_names_the_phase(run, tmp_path):
    with pytest.raises(DataError, match="phase whole: .* too few"):
        Trainer(with_(run, "training.curriculum.phases.whole.chunk", 100_000), tmp_path / "run")
