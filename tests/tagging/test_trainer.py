import json
from dataclasses import replace

import pytest
import torch
from tests.tagging.conftest import TAGGERS

from wetware.tagging import TagMonitoring, TagRun, TagTrainer, TagTraining, load_tagger
from wetware.tagging.decoding import LEGAL
from wetware.tagging.entities import TAGS
from wetware.tagging.labelled import MaskedLines
from wetware.tagging.trainer import Batches
from wetware.training import AdamW, Cosine, Steps, checkpoint
from wetware.training.checkpoint import CheckpointError
from wetware.training.metrics import read


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Texts in which ``<`` letters ``>`` is a name: what a small tagger learns in a few steps."""
    path, lines = tmp_path_factory.mktemp("codes") / "codes.jsonl", []
    for index in range(160):
        name, before = "<" + "abcd"[index % 4] * (2 + index % 3) + ">", "xyz "[index % 4] * (1 + index % 7) + str(index)
        mask = {"start": len(before), "end": len(before) + len(name), "label": "NAME", "value": name}
        lines.append(json.dumps({"source_text": f"{before}{name} zz", "privacy_mask": [mask]}))
    path.write_text("\n".join(lines))
    return MaskedLines(path=str(path))


def run_of(corpus, name, steps=40):
    training = TagTraining(batch=8, limit=Steps(count=steps), schedule=Cosine(warmup=5), optimizer=AdamW())
    watch = TagMonitoring(evaluate_every=20, evaluate_texts=12)
    return TagRun(model=TAGGERS[name], corpus=corpus, training=training, monitoring=watch)


@pytest.mark.parametrize("name", ["spiking", "delayed", "gru"])
def test_every_kind_learns(corpus, name, tmp_path):
    trainer = TagTrainer(run_of(corpus, name, 60), tmp_path / "run")
    before = trainer.evaluate()[0].all.f1 or 0.0
    trainer.fit()
    model, run = load_tagger(tmp_path / "run")
    assert run == trainer.run
    assert trainer.best > before + 0.2
    (spans,) = model.find(["xx7<bbb> zz"])
    assert [span.kind for span in spans if span.start <= 5 < span.end] == ["NAME"]
    assert not any(span.start >= 8 or span.end <= 2 for span in spans)


def test_transitions_are_counted_before_the_first_step_and_kept(corpus, tmp_path):
    trainer = TagTrainer(run_of(corpus, "spiking", 2), tmp_path / "run")
    moves = trainer.model.moves()
    torch.testing.assert_close(trainer.model.transitions.exp().sum(1), torch.ones(25))
    name = {kind: TAGS.index(f"{kind}-NAME") for kind in "BI"}
    assert moves[0, 0] > moves[0, name["B"]] > moves[0, TAGS.index("B-EMAIL")] > -float("inf") == moves[0, name["I"]]
    assert moves[name["B"], name["I"]] > -0.1  # every name has two characters or more
    trainer.fit()
    assert (load_tagger(tmp_path / "run")[0].moves() == moves).all()
    without = replace(TAGGERS["spiking"], transitions=None).build()
    assert (without.moves() == LEGAL).all() and not hasattr(without, "transitions")


def test_a_stopped_run_goes_on_as_if_it_had_not_been(corpus, tmp_path):
    whole = TagTrainer(run_of(corpus, "spiking"), tmp_path / "whole")
    whole.fit()
    run = run_of(corpus, "spiking")
    half = TagTrainer(run, tmp_path / "half")
    for _ in range(13):
        half.update()
    half.save()
    resumed = TagTrainer.resume(tmp_path / "half")
    assert resumed.step == 13
    resumed.fit()
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


def test_what_is_written_down(corpus, tmp_path):
    TagTrainer(run_of(corpus, "spiking", 20), tmp_path / "run").fit()
    rows = read(tmp_path / "run")
    assert {"step", "held_out", "event"} <= {row["kind"] for row in rows}
    (event,) = (row for row in rows if row["kind"] == "event")
    assert 0 <= event["f1"] <= 1 and event["step"] == 20
    assert checkpoint.best(tmp_path / "run") is not None
    with pytest.raises(CheckpointError, match="holds a run already"):
        TagTrainer(run_of(corpus, "spiking"), tmp_path / "run")


def test_batches_hold_each_text_of_a_pool_once_and_depend_on_the_step_alone(corpus):
    batches = Batches(corpus.build(), 4, 600, 0)
    drawn = [example.text for step in range(16) for example in batches.at(step)]
    expected = sorted(corpus.build().training(0, index).text for index in range(64))
    assert sorted(drawn) == expected
    assert Batches(corpus.build(), 4, 600, 0).at(9) == batches.at(9)


def test_padding_is_no_part_of_the_loss(corpus, tmp_path):
    trainer = TagTrainer(run_of(corpus, "gru"), tmp_path / "run")
    lengths = [len(example.text) for example in trainer.batches.at(0)]
    trainer.update()
    assert trainer.characters == sum(lengths)


def test_a_language_model_is_no_tagger(tmp_path):
    import wetware

    wetware.save(wetware.build(wetware.tiny("real_sam")), tmp_path / "sam")
    with pytest.raises(CheckpointError, match="holds no tagger but a RealSam"):
        load_tagger(tmp_path / "sam")


def test_another_limit_is_all_that_resuming_may_change(corpus, tmp_path):
    trainer = TagTrainer(run_of(corpus, "gru", 4), tmp_path / "run")
    trainer.fit()
    longer = TagTrainer.resume(tmp_path / "run", limit=Steps(count=6))
    assert longer.run == replace(trainer.run, training=replace(trainer.run.training, limit=Steps(count=6)))
    assert longer.fit().step == 6
