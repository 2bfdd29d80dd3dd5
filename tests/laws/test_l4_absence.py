"""L4: an ablated mechanism leaves no trace: no parameter, no state, no branch."""

import pytest
import torch

from wetware.config import ablate, get, mechanisms, snake
from wetware.state import leaves

from .subjects import ids, mechanism_cases, models, tokens, without_all

CASES = mechanism_cases()
MODELS = models()


@pytest.mark.parametrize(("name", "config", "path"), CASES, ids=ids(CASES))
def test_absent_leaves_no_trace(name, config, path):
    part, ablated = get(config, path), ablate(config, path)
    full, less = config.build(seed=3), ablated.build(seed=3)
    with_it, without_it = dict(full.named_parameters()), dict(less.named_parameters())
    assert without_it.keys() <= with_it.keys()
    for key, value in without_it.items():  # every other parameter is what it was: drawn by path, not by order
        assert torch.equal(value, with_it[key]), key
    text = tokens(config)
    assert {key for key, _ in leaves(less(text).state)} <= {key for key, _ in leaves(full(text).state)}
    assert dict(less.named_buffers()).keys() <= dict(full.named_buffers()).keys()
    label = snake(type(part).__name__)
    assert not any(label in key.split(".") for key, _ in less.named_modules()), f"a module named {label} is still there"
    assert path not in mechanisms(ablated)


@pytest.mark.parametrize(("name", "config", "path"), CASES, ids=ids(CASES))
def test_present_is_on_the_live_path(name, config, path):
    """Taking a mechanism out changes the training loss or its gradient: nothing is wired and idle."""
    from .test_l9_no_dead_knob import trained

    assert trained(config) != trained(ablate(config, path))


@pytest.mark.parametrize(("name", "config"), MODELS, ids=ids(MODELS))
def test_bare_model_still_works(name, config):
    bare = without_all(config)
    assert mechanisms(bare) == ()
    assert bare.build()(tokens(config)).logits.isfinite().all()
