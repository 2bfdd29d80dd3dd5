"""L8: evaluating or generating changes no parameter and no buffer; the same input twice gives the same output."""

import pytest
import torch

from wetware.models.generation import Sampling, Session
from wetware.state import clone, leaves

from .subjects import ids, lively, tokens, variants

CASES = variants()


def snapshot(model):
    return {name: tensor.clone() for name, tensor in model.state_dict(keep_vars=False).items()}


def assert_untouched(model, before):
    after = model.state_dict()
    assert before.keys() == after.keys()
    for name, tensor in after.items():
        assert torch.equal(tensor, before[name]), name


@pytest.mark.parametrize(("name", "config"), CASES, ids=ids(CASES))
@torch.no_grad()
def test_evaluating(name, config):
    model, text = lively(config), tokens(config)
    before = snapshot(model)
    state = model(text).state
    kept = clone(state)
    first, second = model(text, state), model(text, state)
    assert torch.equal(first.logits, second.logits)
    for (path, mine), (_, other) in zip(leaves(state), leaves(kept), strict=True):
        assert torch.equal(mine, other), f"reading changed the state it was given: {path}"
    assert_untouched(model, before)


@pytest.mark.parametrize(("name", "config"), CASES, ids=ids(CASES))
@torch.no_grad()
def test_two_futures_of_one_state_do_not_meet(name, config):
    model, text = lively(config), tokens(config)
    state = model(text).state
    alone = model.step(text[:, 1], model.step(text[:, 0], state).state).logits
    one, other = model.step(text[:, 0], state).state, model.step(text[:, 5], state).state
    model.step(text[:, 6], other)
    assert torch.equal(model.step(text[:, 1], one).logits, alone)


@pytest.mark.parametrize(("name", "config"), CASES, ids=ids(CASES))
def test_generating(name, config):
    model = lively(config)
    before = snapshot(model)
    texts = []
    for _ in range(2):
        session = Session(model, Sampling(temperature=0.9, top_k=20), seed=4)
        session.read([0, 5, 6])
        texts.append(list(session.write(25)))
    assert texts[0] == texts[1]
    assert_untouched(model, before)
