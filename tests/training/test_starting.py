"""A run starts from a checkpoint's weights, and does not need the checkpoint again."""

import shutil
from dataclasses import replace

import pytest
import torch

import wetware
from wetware.config import from_dict, to_dict, with_
from wetware.data import BPE, Bytes, SavedTokenizer, TemplateConversations, TextFiles
from wetware.training import (
    AssistantTurns,
    CheckpointError,
    Monitoring,
    Run,
    SavedWeights,
    Steps,
    Trainer,
    Training,
    checkpoint,
    save,
)


@pytest.fixture
def run(tiny_text) -> Run:
    monitoring = Monitoring(evaluate_tokens=100, sample_tokens=3, checkpoint_every=3)
    training = Training(batch=2, chunk=16, limit=Steps(count=3))
    corpus, model = TextFiles(path=str(tiny_text)), replace(wetware.tiny("gpt"), width=16)
    return Run(model=model, corpus=corpus, tokenizer=Bytes(), training=training, monitoring=monitoring)


@pytest.mark.parametrize("name", ["gpt", "real_sam"])
def test_weights_are_those_of_the_checkpoint_and_resume_needs_it_no_more(name, run, tmp_path):
    run = replace(run, model=wetware.tiny(name))
    first = Trainer(run, tmp_path / "first")
    first.fit()
    started = Trainer(replace(run, seed=9, start=SavedWeights(path=str(tmp_path / "first"))), tmp_path / "second")
    learned = wetware.load(tmp_path / "first")[0].state_dict()
    for key, value in started.model.state_dict().items():  # of neurons too: they are not calibrated again
        assert torch.equal(value, learned[key]), key
    started.fit()
    assert not torch.equal(next(started.model.parameters()), next(iter(learned.values())))
    shutil.rmtree(tmp_path / "first")
    resumed = Trainer.resume(tmp_path / "second", limit=Steps(count=5))
    assert resumed.run.start == started.run.start
    resumed.fit()
    assert resumed.step == 5


def test_a_run_without_a_start_is_read_as_before():
    about = to_dict(Run())
    del about["start"]
    assert from_dict(about) == Run()


@pytest.fixture
def saved(run, tmp_path):
    config = run.fitted(257, 0).model
    return save(config.build(0), tmp_path / "saved", Bytes().train([]))


MISFITS = {
    "width": (("model.width", 24), "its 'blocks.0.attention.key.weight' is [16, 16], the model's [24, 24]"),
    "more layers": (("model.depth", 3), "it has no 'blocks.2.attention.key.weight' (and 5 more"),
    "fewer layers": (("model.depth", 1), "nothing in it takes 'blocks.1.attention.key.weight' (and 5 more)"),
    "another tokenizer": (("tokenizer", BPE(vocab_size=300)), "another tokenizer (Bytes, 257 tokens)"),
    "no such folder": (("start.path", "svaed"), "no such run or checkpoint"),
}


@pytest.mark.parametrize(("change", "message"), MISFITS.values(), ids=MISFITS)
def test_what_does_not_fit_is_named(change, message, run, saved, tmp_path):
    run = with_(replace(run, start=SavedWeights(path=str(saved))), *change)
    with pytest.raises(CheckpointError) as error:
        Trainer(run, tmp_path / "run")
    assert message in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["gpt", "real_sam", "gru"])
def test_special_tokens_get_rows_and_all_others_keep_theirs(name, run, tmp_path):
    """A text model that is to talk: what it knew it still says, to the last bit, where no new token is asked for."""
    run = replace(run, model=wetware.tiny(name))
    Trainer(run, tmp_path / "text").fit()
    before, its = wetware.load(tmp_path / "text")
    tokenizer = SavedTokenizer(path=str(checkpoint.find(tmp_path / "text")))
    talks = TemplateConversations(about=run.corpus, count=30, held_out=10)
    training = replace(run.training, counted=AssistantTurns())
    start = SavedWeights(path=str(tmp_path / "text"))
    talking = Trainer(
        replace(run, corpus=talks, tokenizer=tokenizer, training=training, start=start), tmp_path / "talk"
    )
    assert talking.tokenizer.pieces == (*its.pieces, b"", b"", b"")
    read = torch.tensor([[its.boundary, *its.encode("The law of the land")]])
    after = talking.model.eval()
    with torch.no_grad():
        assert torch.allclose(after(read).logits[..., : its.vocab_size], before(read).logits, atol=1e-5)
        assert after(torch.tensor([[its.boundary, *talking.tokenizer.specials.values()]])).logits.shape[-1] == 260
    talking.fit()
    assert wetware.load(tmp_path / "talk")[1].specials == talking.tokenizer.specials


def test_damaged_weights_are_noticed(run, saved, tmp_path):
    file = saved / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match="damaged"):
        Trainer(replace(run, start=SavedWeights(path=str(saved))), tmp_path / "run")
