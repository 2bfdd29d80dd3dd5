"""``--stress``: a trained model used at another stress than it was trained to be."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import wetware
from wetware.cli import main
from wetware.commands.stress import under_stress
from wetware.config import ConfigError, with_
from wetware.modulation import FixedStress, FrozenStress, Signals
from wetware.training import checkpoint


@pytest.fixture(scope="module", params=["NeutralStress", "FrozenStress"])
def trained(request, tiny_text, tmp_path_factory):
    """A short run of a Real Sam whose environment is strong."""
    folder = tmp_path_factory.mktemp("stress") / "run"
    model = with_(wetware.tiny("real_sam"), "modulators.environment.inference", request.param)
    model = with_(with_(model, "modulators.environment.common", 1.5), "width", 16)
    watch = wetware.Monitoring(evaluate_every=99, evaluate_tokens=50, sample_every=99, sample_tokens=1)
    training = wetware.Training(batch=2, chunk=16, limit=wetware.Steps(count=5))
    corpus = wetware.TextFiles(path=str(tiny_text))
    run = wetware.Run(model=model, corpus=corpus, tokenizer=wetware.Bytes(), training=training, monitoring=watch)
    trainer = wetware.Trainer(run, folder)
    trainer.fit()
    return folder, trainer.trackers["stress"].value


@torch.no_grad()
def test_each_word_is_that_stress(trained):
    folder, last = trained
    model, _ = wetware.load(folder)
    text = torch.randint(1, 200, (2, 12), generator=torch.Generator().manual_seed(0))
    assert 0.5 < last <= 1.0
    for word, stress in (("neutral", 0.5), ("frozen", last), ("0.1", 0.1)):
        used = under_stress(model, str(folder), word)
        torch.testing.assert_close(used(text).logits, model(text, signals=Signals(stress=stress)).logits)
    surprised = under_stress(model, str(folder), "surprise")
    assert surprised.surprise and not torch.equal(surprised(text).logits, model(text).logits)


def test_frozen_is_read_from_the_model_or_else_from_its_training(trained, tmp_path):
    folder, last = trained
    model, tokenizer = wetware.load(folder)
    alone = wetware.save(model, tmp_path / "model", tokenizer)  # weights without a training
    kept = model.config.modulators[0].inference
    assert under_stress(model, str(folder), "frozen").config.modulators[0].inference == (
        FrozenStress() if kept == FrozenStress() else FixedStress(value=last)
    )
    if kept != FrozenStress():
        with pytest.raises(ConfigError, match="does not say at what stress"):
            under_stress(model, str(alone), "frozen")


def test_other_words_are_one_line(trained, tmp_path, capsys):
    folder, _ = trained
    for word, said in (("calm", "allowed neutral, frozen, surprise, or a number"), ("1.5", "out of range")):
        assert main(["generate", str(folder), "--stress", word, "--threads", "1"]) == 2
        told = capsys.readouterr().err
        assert said in told and told.count("\n") == 1
    plain = replace(wetware.tiny("gpt"), vocab_size=257)
    tokenizer = wetware.Bytes().train([])
    wetware.save(plain.build(), tmp_path / "gpt", tokenizer)
    assert main(["chat", str(tmp_path / "gpt"), "--stress", "frozen", "--threads", "1"]) == 2
    assert "no environment" in capsys.readouterr().err


def test_what_it_is_worth_is_evaluated(trained, tmp_path, capsys):
    import json

    folder, _ = trained
    bits = []
    for word in ("neutral", "1.0"):
        options = [
            "--tasks",
            "bits_per_byte",
            "--limit",
            "150",
            "--json",
            "--threads",
            "1",
            "--out",
            str(tmp_path / word),
        ]
        assert main(["evaluate", str(folder), "--stress", word, *options]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["stress"] == word
        bits.append(told["measures"]["bits_per_byte"]["carried"]["bits_per_byte"])
    assert bits[0] != bits[1]
    assert checkpoint.find(folder).exists()
