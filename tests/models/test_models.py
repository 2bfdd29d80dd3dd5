"""Models as objects: copied, pickled, in other types; and what they refuse to read."""

import copy
import pickle

import pytest
import torch

import wetware
from wetware.parameters import role

NAMES = wetware.model_names()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["copy", "pickle"]
)
def test_a_copy_is_the_model(name, copied):
    model = wetware.tiny(name).build(seed=3)
    other, text = copied(model), torch.arange(20)[None]
    assert torch.equal(other(text).logits, model(text).logits)
    assert {path: role(p) for path, p in other.named_parameters()} == {
        path: role(p) for path, p in model.named_parameters()
    }
    with torch.no_grad():
        next(other.parameters()).add_(1.0)
    assert not torch.equal(next(other.parameters()), next(model.parameters()))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_types(name, dtype):
    text = torch.arange(20)[None]
    expected = wetware.tiny(name).build()(text).logits
    model = wetware.tiny(name).build().to(dtype)
    output = model(text)
    assert output.logits.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert (output.logits - expected).abs().mean() < 0.2 * expected.std()
    step = model.step(text[:, 0], output.state)
    assert step.logits.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_integers_of_every_width_are_tokens(name):
    model, text = wetware.tiny(name).build(), torch.arange(20)[None]
    for dtype in (torch.int32, torch.int16, torch.uint8):
        assert torch.equal(model(text.to(dtype)).logits, model(text).logits)


BAD = [
    torch.ones(1, 3, dtype=torch.bool),
    torch.ones(1, 3),
    torch.ones(3).long(),
    torch.ones(1, 0).long(),
    torch.ones(0, 3).long(),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", [*BAD, torch.full((1, 3), 67), torch.full((1, 3), -1)], ids=str)
def test_what_is_no_batch_of_tokens_is_refused(name, text):
    with pytest.raises(ValueError, match="tokens"):
        wetware.tiny(name).build()(text)
