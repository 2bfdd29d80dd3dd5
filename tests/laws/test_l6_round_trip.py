"""L6: from_dict(to_dict(config)) == config; a checkpoint rebuilds its model, tokenizer and state from itself alone."""

import json

import pytest
import torch

import wetware
from wetware.config import from_dict, to_dict
from wetware.data import BPE, Bytes
from wetware.state import flatten, unflatten

from .subjects import ids, lively, models, tokens, variants, with_vocab

CASES = variants()
MODELS = models()


@pytest.mark.parametrize(("name", "config"), CASES, ids=ids(CASES))
def test_config(name, config):
    assert from_dict(json.loads(json.dumps(to_dict(config)))) == config


@pytest.mark.parametrize("name", wetware.recipe_names())
def test_recipe(name):
    run = wetware.recipe(name)
    assert from_dict(json.loads(json.dumps(to_dict(run)))) == run


@pytest.mark.parametrize(("name", "config"), CASES, ids=ids(CASES))
@torch.no_grad()
def test_saved_model(name, config, tmp_path):
    model, text = lively(config), tokens(config)
    loaded, tokenizer = wetware.load(wetware.save(model, tmp_path / "model"))
    assert tokenizer is None
    assert loaded.config == config
    assert torch.equal(loaded(text).logits, model(text).logits)


@pytest.mark.parametrize("kind", [Bytes(), BPE(vocab_size=300)], ids=["bytes", "bpe"])
def test_saved_tokenizer(kind, tmp_path):
    tokenizer = kind.train(["the house of the law", "the law of the house"])
    config = with_vocab(wetware.tiny("real_sam"), tokenizer.vocab_size, tokenizer.boundary)
    wetware.save(config.build(), tmp_path / "model", tokenizer)
    _, loaded = wetware.load(tmp_path / "model")
    assert loaded.encode("the law, café") == tokenizer.encode("the law, café")


@pytest.mark.parametrize(("name", "config"), MODELS, ids=ids(MODELS))
@torch.no_grad()
def test_saved_state(name, config):
    """A state that went through names and tensors goes on exactly as the one that did not."""
    model, text = lively(config), tokens(config)
    state = model(text).state
    copy = unflatten(model.init_state(3), flatten(state))
    assert torch.equal(model(text, state).logits, model(text, copy).logits)
