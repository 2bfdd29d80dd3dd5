"""L2: changing later tokens, or appending some, never changes an earlier logit."""

import pytest
import torch

from .subjects import ids, lively, tokens, variants

CASES = variants()


@pytest.mark.parametrize(("name", "config"), CASES, ids=ids(CASES))
@torch.no_grad()
def test_later_tokens_change_nothing_before_them(name, config):
    model, text = lively(config), tokens(config)
    before = model(text).logits
    for cut in (1, 17, 40):
        changed = text.clone()
        changed[:, cut:] = (changed[:, cut:] + 1 + torch.arange(41 - cut)) % config.vocab_size
        after = model(changed).logits
        assert torch.equal(before[:, :cut], after[:, :cut])
        assert not torch.equal(before[:, cut:], after[:, cut:])


@pytest.mark.parametrize(("name", "config"), CASES, ids=ids(CASES))
@torch.no_grad()
def test_appended_tokens_change_nothing_before_them(name, config):
    model, text = lively(config), tokens(config)
    torch.testing.assert_close(model(text[:, :30]).logits, model(text).logits[:, :30], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("name", "config"), CASES, ids=ids(CASES))
def test_gradients_come_from_the_past_only(name, config):
    """The logits of a token have no derivative by the embedding of a token that first appears later."""
    model, text = lively(config), tokens(config, batch=1, steps=12)
    text[0] = torch.arange(1, 13)
    table = next(p for path, p in model.named_parameters() if path.endswith("table"))
    hidden = model(text).logits[0, 5, 0]
    (gradient,) = torch.autograd.grad(hidden, table)
    used_before, used_after = gradient[text[0, :6]].abs().sum(), gradient[text[0, 6:]].abs().sum()
    assert used_before > 0
    assert used_after == 0
