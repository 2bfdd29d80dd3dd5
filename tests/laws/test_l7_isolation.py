"""L7: a sequence's result does not depend on its batch mates; a document boundary resets what it must."""

import pytest
import torch

from wetware.state import select

from .subjects import assert_same, ids, lively, models, thresholds, tokens, variants

CASES = variants()
MODELS = models()


def row(output, index):
    pick = slice(index, index + 1)
    activity = tuple(type(layer)(*(signal[pick] for signal in layer)) for layer in output.activity)
    return output._replace(logits=output.logits[pick], state=select(output.state, pick), activity=activity)


@pytest.mark.parametrize(("name", "config"), CASES, ids=ids(CASES))
@torch.no_grad()
def test_batch_mates(name, config):
    model, text = lively(config), tokens(config, batch=4)
    together = model(text)
    for index in range(4):
        assert_same(row(together, index), model(text[index : index + 1]), thresholds(model))


@pytest.mark.parametrize(("name", "config"), CASES, ids=ids(CASES))
@torch.no_grad()
def test_a_boundary_starts_afresh(name, config):
    """What follows a boundary is what follows it in a model that has read nothing else."""
    model, text = lively(config), tokens(config)
    text[:, 15] = config.boundary
    for cut in (15, 11):  # the boundary first in its chunk, and in the middle of one
        before = model(text[:, :cut])
        after = model(text[:, cut:], before.state).logits[:, 15 - cut :]
        torch.testing.assert_close(after, model(text[:, 15:]).logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("name", "config"), MODELS, ids=ids(MODELS))
@torch.no_grad()
def test_without_a_boundary_the_past_matters(name, config):
    model, text = lively(config), tokens(config)
    text = text.where(text != config.boundary, 1)
    carried, fresh = model(text[:, 15:], model(text[:, :15]).state).logits, model(text[:, 15:]).logits
    assert (carried - fresh)[:, 0].abs().amax(-1).min() > 1e-4
