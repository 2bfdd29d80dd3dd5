"""L5: a part declared neutral changes no logit at initialisation, and each of its parameters gets a gradient within two
steps (a zero gate and a zero output is a dead saddle)."""

import pytest
import torch

from wetware.config import ablate, get
from wetware.training import cross_entropy

from .subjects import STRESSED, ids, mechanism_cases, tokens, variants

NEUTRAL = mechanism_cases(lambda part: part.neutral)
VARIANTS = variants()  # in a variant, a parameter of what was taken out would have no gradient


@pytest.mark.parametrize(("name", "config", "path"), NEUTRAL, ids=ids(NEUTRAL))
@torch.no_grad()
def test_neutral_part_changes_no_logit(name, config, path):
    assert get(config, path).neutral
    text = tokens(config)
    with_it, without_it = config.build(seed=1)(text), ablate(config, path).build(seed=1)(text)
    torch.testing.assert_close(with_it.logits, without_it.logits, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("name", "config"), VARIANTS, ids=ids(VARIANTS))
def test_every_parameter_is_alive_within_two_steps(name, config):
    model = config.build(seed=1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    alive = set()
    for step in range(2):
        text = tokens(config, batch=4, steps=33, seed=step)
        output = model(text[:, :-1], signals=STRESSED)
        (cross_entropy(output.logits, text[:, 1:]) + sum(output.losses.values())).backward()
        for path, parameter in model.named_parameters():
            if parameter.grad is not None and parameter.grad.abs().sum() > 0:
                alive.add(path)
        optimizer.step()
        optimizer.zero_grad()
    assert alive == {path for path, _ in model.named_parameters()}
