"""Multi-token prediction: its loss against loops, what it may see, and that no logit hears of it."""

from __future__ import annotations

import pytest
import torch

import wetware
from wetware.config import with_
from wetware.operations import Workload, operations, uncounted
from wetware.traits import MultiTokenPrediction

TEXT = torch.tensor([[0, 5, 9, 3, 0, 7, 2, 8, 1], [4, 4, 6, 1, 2, 3, 5, 0, 9]])


def whale(**fields):
    return with_(wetware.tiny("spikewhale"), "traits.multi_token_prediction", MultiTokenPrediction(**fields))


def normed(x):
    return x / x.square().mean(-1, keepdim=True).sqrt()


@pytest.mark.parametrize("ahead", [1, 3])
def test_the_loss(ahead):
    model = whale(ahead=ahead, weight=0.4, hidden=7).build(seed=0)
    output, z = model.read(TEXT)
    total = 0.0
    for k in range(1, ahead + 1):
        nats = []
        for row, text in enumerate(TEXT.tolist()):
            for t in range(len(text) - k - 1):
                if 0 in text[t + 1 : t + k + 1]:  # the target lies beyond the start of another document
                    continue
                h = z[row, t]
                for step, further in enumerate(model.traits["multi_token_prediction"].further[:k], 1):
                    p = further.join.weight @ torch.cat([normed(h), normed(model.table[text[t + step]])])
                    h = p + further.down.weight @ (further.up.weight @ normed(p)).relu().square()
                nats.append(-model.logits(h).log_softmax(-1)[text[t + k + 1]])
        total += torch.stack(nats).mean()
    torch.testing.assert_close(output.losses["multi_token_prediction.ahead"], 0.4 / ahead * total)


def test_no_logit_hears_of_it():
    """Neither a logit nor its gradient by the table: what the modules read stays out of them."""
    models = [with_(wetware.tiny("spikewhale"), "traits", ()).build(seed=0), whale().build(seed=0)]
    outputs = [model(TEXT) for model in models]
    assert torch.equal(outputs[0].logits, outputs[1].logits)
    gradients = [
        torch.autograd.grad(output.logits.square().sum(), model.table)[0]
        for output, model in zip(outputs, models, strict=True)
    ]
    assert torch.equal(*gradients)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_short_chunks(length):
    model = whale(ahead=2).build()
    loss = model(TEXT[:, 1 : 1 + length]).losses["multi_token_prediction.ahead"]
    loss.backward()
    assert (loss > 0) == (length == 3)


def test_no_loss_without_gradients():
    with torch.no_grad():
        assert "multi_token_prediction.ahead" not in whale().build()(TEXT).losses


@torch.no_grad()
def test_a_draft_is_what_the_first_module_foretells():
    model = whale(ahead=2).build(seed=0)
    _, z = model.read(TEXT)
    drafter, first = model.drafter(), model.traits["multi_token_prediction"].further[0]
    expected = model.logits(first(z[:, 3], model.table[TEXT[:, 4]] / 0.05))
    torch.testing.assert_close(drafter.guess(z[:, 3], TEXT[:, 4]), expected)
    assert wetware.tiny("spikewhale").build().drafter() is None


def test_every_matrix_is_told_and_costs_nothing_when_nothing_is_drafted():
    model = whale().build()
    found = operations(model, Workload(dict.fromkeys(model.modules(), 1.0), torch.ones(67) / 67, 8))
    assert uncounted(model, found) == []
    assert sum(operation.dense for operation in found if "multi_token" in operation.name) == 0


def test_in_bfloat16():
    model = whale().build()
    with torch.autocast("cpu", torch.bfloat16):
        sum(model(TEXT).losses.values()).backward()
    assert model.traits["multi_token_prediction"].further[0].up.weight.grad.abs().sum() > 0
