"""Checkpoints: what is damaged is named; nothing is unpickled; saving over a model is safe."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

import wetware
from wetware.data import Bytes
from wetware.training import CheckpointError, checkpoint


@pytest.fixture
def saved(tmp_path):
    tokenizer = Bytes().train([])
    from dataclasses import replace

    config = replace(wetware.tiny("real_sam"), vocab_size=tokenizer.vocab_size)
    return wetware.save(config.build(), tmp_path / "model", tokenizer)


def test_files(saved):
    assert {path.name for path in saved.iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "digests.json",
    }
    model, tokenizer = wetware.load(saved)
    assert model.vocab_size == tokenizer.vocab_size


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_missing_file(saved, name):
    (saved / name).unlink()
    with pytest.raises(CheckpointError, match=name.split(".")[0]):
        wetware.load(saved)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("keep", [0, 0.5])
def test_cut_file(saved, name, keep):
    path = saved / name
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(CheckpointError):
        wetware.load(saved)


def test_flipped_bits_are_noticed_by_the_golden_output(saved):
    path = saved / "model.safetensors"
    tensors = load_file(path)
    tensors["blocks.0.fc_in.weight"] = tensors["blocks.0.fc_in.weight"].flip(0)
    save_file(tensors, path)
    with pytest.raises(CheckpointError, match="not what was written"):
        wetware.load(saved)
    (saved / "digests.json").unlink()  # as in a model that was converted by hand: the golden output is what is left
    with pytest.raises(CheckpointError, match="golden"):
        wetware.load(saved)


def test_missing_and_wrong_tensors_are_named(saved):
    path = saved / "model.safetensors"
    tensors = load_file(path)
    whole = dict(tensors)
    tensors.pop("readout.scale")
    save_file(tensors, path)
    with pytest.raises(CheckpointError, match=r"readout\.scale"):
        wetware.load(saved)
    save_file({**whole, "readout.scale": torch.ones(2)}, path)
    with pytest.raises(CheckpointError, match=r"readout\.scale.*\(1,\).*\(2,\)"):
        wetware.load(saved)


def test_vocabularies_that_do_not_fit(saved, tmp_path):
    wetware.BPE(vocab_size=300).train(["a b c"] * 9).save(saved)
    with pytest.raises(CheckpointError, match="vocabular"):
        wetware.load(saved)


def test_unknown_config(saved):
    about = json.loads((saved / "config.json").read_text())
    about["model"]["widht"] = 3
    (saved / "config.json").write_text(json.dumps(about))
    with pytest.raises(CheckpointError, match="did you mean 'width'"):
        wetware.load(saved)


def test_no_such_folder_names_the_nearest(saved):
    with pytest.raises(CheckpointError, match="did you mean 'model'"):
        wetware.load(saved.parent / "modle")


def test_saving_again_replaces_and_killed_saving_does_not(saved, monkeypatch):
    model, tokenizer = wetware.load(saved)
    with torch.no_grad():
        model.readout.scale.fill_(2.0)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", die)
        with pytest.raises(KeyboardInterrupt):
            wetware.save(model, saved, tokenizer)
    assert wetware.load(saved)[0].readout.scale == 0.5
    wetware.save(model, saved, tokenizer)
    assert wetware.load(saved)[0].readout.scale == 2.0
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_one_flipped_bit_anywhere_is_noticed(saved):
    path = saved / "model.safetensors"
    content = bytearray(path.read_bytes())
    for place in (len(content) - 2, len(content) // 2):
        content[place] ^= 1
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"not what was written|golden|damaged"):
            wetware.load(saved)
        content[place] ^= 1
    path.write_bytes(content)
    wetware.load(saved)


def test_another_format_is_refused(saved):
    about = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps({**about, "format": 99}))
    with pytest.raises(CheckpointError, match="format 99"):
        wetware.load(saved)


def test_a_deleted_model_stays_deleted(saved):
    """What a kill left beside a model is cleared by the next save, so that it cannot come back."""
    import shutil

    stale = saved.parent / ".model.0123abcd.old"
    shutil.copytree(saved, stale)
    wetware.save(*_model_and_folder(saved))
    assert not stale.exists()
    shutil.rmtree(saved)
    with pytest.raises(CheckpointError, match="no such"):
        wetware.load(saved)


def _model_and_folder(saved):
    model, _ = wetware.load(saved)
    return model, saved


def test_a_failed_rename_puts_the_old_model_back(saved, monkeypatch):
    model, tokenizer = wetware.load(saved)
    real, calls = checkpoint.os.replace, []

    def second_fails(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(checkpoint.os, "replace", second_fails)
    with pytest.raises(KeyboardInterrupt):
        wetware.save(model, saved, tokenizer)
    assert [path.name for path in saved.parent.iterdir()] == ["model"]
    wetware.load(saved)


def test_what_does_not_fit_is_not_saved(tmp_path):
    tokenizer = Bytes().train([])
    with pytest.raises(CheckpointError, match="vocabularies do not fit"):
        wetware.save(wetware.tiny("gpt").build(), tmp_path / "model", tokenizer)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CheckpointError, match="is a file"):
        wetware.save(wetware.tiny("gpt").build(), tmp_path / "file")


def test_a_vocabulary_of_one(tmp_path):
    from dataclasses import replace

    config = replace(wetware.tiny("gpt"), vocab_size=1)
    assert wetware.load(wetware.save(config.build(), tmp_path / "model"))[0].vocab_size == 1


def test_killed_between_the_two_renames(saved):
    saved.rename(saved.parent / ".model.0123abcd.old")
    assert wetware.load(saved)[0].vocab_size == 257


def test_a_folder_with_something_else_is_not_replaced(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(CheckpointError, match="something else"):
        wetware.save(wetware.tiny("gpt").build(), tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").exists()
