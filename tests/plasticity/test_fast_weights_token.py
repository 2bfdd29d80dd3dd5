"""One token through fast weights, compiled: what the formulas give, with each part and without it."""

from dataclasses import replace

import pytest
import torch

from wetware.parameters import initialize
from wetware.plasticity import FastWeights, Hebbian, LinearLatch
from wetware.plasticity.fast_weights import recall
from wetware.state import leaves

HEADS, SIZE, BATCH = 2, 5, 3
PARTS = ("input_dependence", "eligibility", "latch", "bdnf", "dual")
CONFIGS = {"all": FastWeights(), "hebbian": FastWeights(write=Hebbian())}
CONFIGS |= {f"without {part}": replace(FastWeights(), **{part: None}) for part in PARTS}
CONFIGS["bare"] = replace(FastWeights(), **dict.fromkeys(PARTS))


def built(config):
    memory = config.build(width=HEADS * SIZE, heads=HEADS)
    initialize(memory, 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in memory.parameters():
            weight += 0.3 * torch.randn(weight.shape, generator=generator)
    return memory


def given(step):
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(BATCH, 1, HEADS * SIZE, generator=generator)
    query, key, value = (torch.randn(BATCH, 1, HEADS, SIZE, generator=generator) for _ in range(3))
    keep = torch.tensor([[step > 0], [step not in (0, 5)], [step > 0]])
    return x, query, 0 * key if step == 3 else key, value, keep


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@torch.inference_mode()
def test_equals_the_formulas(config):
    memory = built(config)
    states = {"reference": memory.init_state(BATCH), "numba": memory.init_state(BATCH)}
    for step in range(8):
        *parts, keep = given(step)
        values = {}
        for name in states:
            with recall.using(name):
                recalled = memory(*parts, states[name], keep)
            values[name], states[name] = recalled.values, recalled.state
        # a deviation is a difference of means: of single precision it has four digits
        torch.testing.assert_close(values["numba"], values["reference"], atol=3e-4, rtol=1e-3)
        for (path, mine), (other, theirs) in zip(*(leaves(state) for state in states.values()), strict=True):
            assert path == other
            torch.testing.assert_close(mine, theirs, atol=3e-4, rtol=1e-3)


def test_refusals():
    memory, (*parts, keep) = built(FastWeights()), given(0)
    assert "gradients" in recall.explain(memory, *parts, memory.init_state(BATCH), keep)
    with torch.inference_mode():
        assert "numba: chosen" in recall.explain(memory, *parts, memory.init_state(BATCH), keep)
        other = built(FastWeights(latch=LinearLatch()))
        assert "LinearEnzymes" in recall.explain(other, *parts, other.init_state(BATCH), keep)
