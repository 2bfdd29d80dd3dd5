"""L1: a whole forward = the same tokens in any chunks = token by token; same logits, same final state."""

import pytest
import torch

from wetware.state import detach, leaves

from .subjects import STRESSED, assert_same, ids, in_chunks, lively, thresholds, tokens, variants

CASES = variants()


@pytest.mark.parametrize(("name", "config"), CASES, ids=ids(CASES))
@torch.no_grad()
def test_streaming(name, config):
    model, text = lively(config), tokens(config)
    whole = model(text, signals=STRESSED)
    for sizes in ((20, 21), (1, 7, 30, 3), (1,) * 41):
        assert_same(whole, in_chunks(model, text, sizes, signals=STRESSED), thresholds(model))


@pytest.mark.parametrize(("name", "config"), CASES, ids=ids(CASES))
def test_training_reads_as_inference_does(name, config):
    """With gradients, without, and in either mode of the module: the same function."""
    model, text = lively(config), tokens(config)
    outputs = []
    for mode in (torch.enable_grad, torch.no_grad, torch.inference_mode):
        for training in (True, False):
            model.train(training)
            with mode():
                output = model(text, signals=STRESSED)
            outputs.append(output._replace(state=detach(output.state)))
    assert outputs[0].logits.requires_grad
    for other in outputs[1:]:
        assert torch.equal(outputs[0].logits.detach(), other.logits)
        assert all(
            torch.equal(a, b) for (_, a), (_, b) in zip(leaves(outputs[0].state), leaves(other.state), strict=True)
        )


@pytest.mark.parametrize(("name", "config"), CASES, ids=ids(CASES))
@torch.no_grad()
def test_step_is_forward_on_one_token(name, config):
    model, text = lively(config), tokens(config, steps=9)
    state, parts = model.init_state(len(text)), []
    for token in text.unbind(1):
        output = model.step(token, state)
        assert output.logits.shape == (len(text), config.vocab_size)
        state = output.state
        parts.append(output.logits)
    torch.testing.assert_close(torch.stack(parts, 1), in_chunks(model, text, (1,) * 9).logits, atol=0, rtol=0)
