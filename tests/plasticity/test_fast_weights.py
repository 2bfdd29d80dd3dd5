"""Fast weights as a part of a model: what they find, what their parts do to them, and what must not reach them."""

from dataclasses import replace

import pytest
import torch

import wetware
from wetware.parameters import initialize
from wetware.plasticity import BDNF, Eligibility, FastWeights, Hebbian, LinearAttentionMemory

BARE = FastWeights(
    input_dependence=None,
    eligibility=None,
    latch=None,
    bdnf=None,
    dual=None,
    strength=0.999999,
    shortest=1e6,
    longest=1e6,
)
HEADS, SIZE = 2, 16


def built(config, open_gate=True):
    memory = config.build(width=HEADS * SIZE, heads=HEADS)
    initialize(memory, 0)
    if open_gate:
        with torch.no_grad():
            memory.gate.fill_(20.0)
    return memory


def draws(batch, steps, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, steps, HEADS, SIZE, generator=generator) for _ in range(2)]


def read(memory, query, key, value, keep=None, state=None):
    x = value.flatten(2)
    keep = torch.ones(x.shape[:2], dtype=torch.bool) if keep is None else keep
    with torch.no_grad():
        return memory(x, query, key, value, memory.init_state(len(x)) if state is None else state, keep)


def orthonormal(steps):
    q, _ = torch.linalg.qr(torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(3)))
    return q[:steps, None].expand(steps, HEADS, SIZE)[None] * SIZE**0.5  # of unit mean square, as attention's


def test_stored_pairs_are_found_and_replaced():
    """Ten pairs, ten other values under the same keys, then ten questions."""
    keys, values = orthonormal(10), draws(1, 10)[0]
    key = torch.cat([keys, keys, 0 * keys], 1)
    value, query = torch.cat([values, -2 * values, 0 * values], 1), torch.cat([0 * keys, 0 * keys, keys], 1)
    found = read(built(BARE), query, key, value).values[:, 20:]
    torch.testing.assert_close(found, -2 * values, atol=1e-3, rtol=0)
    added = read(built(replace(BARE, write=Hebbian())), query, key, value).values[:, 20:]
    torch.testing.assert_close(added, -values, atol=1e-3, rtol=0)


def test_linear_attention_finds_a_mean_of_what_it_saw():
    query, key = draws(2, 9)
    value = torch.ones(2, 9, HEADS, SIZE)
    found = read(built(LinearAttentionMemory()), query, key, value).values
    torch.testing.assert_close(found[:, 1:], value[:, 1:], atol=1e-4, rtol=0)
    assert found[:, 0].abs().max() == 0


def test_eligibility_lets_a_value_be_found_by_what_came_before_its_key():
    keys, values = orthonormal(2), draws(1, 2)[0]
    key, value = (
        torch.cat([keys, 0 * keys[:, :1]], 1),
        torch.cat([0 * values[:, :1], values[:, 1:], 0 * values[:, :1]], 1),
    )
    query = torch.cat([0 * keys, keys[:, :1]], 1)  # asks for the key before the one that had a value
    assert read(built(BARE), query, key, value).values[:, 2].norm() < 1e-4 * values[:, 1].norm()
    found = read(built(replace(BARE, eligibility=Eligibility(half_life=1.0, mix=0.5))), query, key, value).values
    e = torch.tensor([0.25, 1.0])  # half of a trace that has halved once, beside the key itself
    torch.testing.assert_close(found[:, 2], values[:, 1] * float((e / e.norm())[0]), atol=1e-3, rtol=0)


def test_bdnf_is_of_order_one_whatever_the_scale_of_the_writes():
    generator = torch.Generator().manual_seed(0)
    written = torch.exp(torch.randn(4, 300, HEADS, generator=generator))
    factor = BDNF().build(heads=HEADS)
    initialize(factor, 0)
    with torch.no_grad():
        levels = [factor.level(scale * written, factor.init_state(4), torch.ones(4, 300))[0] for scale in (1e-4, 1.0)]
        stronger, _ = factor(torch.full((4, 300, HEADS), 0.5), written, factor.init_state(4), torch.ones(4, 300))
    torch.testing.assert_close(*levels, atol=1e-3, rtol=1e-3)
    assert 0.7 < levels[1].mean() < 1.3 and levels[1].min() > 0.2 and levels[1].max() < 5 and levels[1].std() > 0.1
    assert stronger.min() > 0.5 and stronger.max() < 1 and stronger.std() > 0.01


def test_a_latched_head_writes_more_and_forgets_more_slowly():
    """The same text, after a state in which head 0 is latched and head 1 is not."""
    memory = built(replace(FastWeights(), bdnf=None, input_dependence=None, shortest=8.0, longest=8.0))
    key, value = draws(1, 2)
    state = memory.init_state(1)
    enzymes = torch.tensor([[[0.85, 0.0], [0.0, 0.0]]])
    state = state._replace(latch=state.latch._replace(enzymes=enzymes))
    with torch.no_grad():
        how = memory.written(value.flatten(2), key, value, state, torch.ones(1, 2))
    assert (how.strength[..., 0] > 3 * how.strength[..., 1]).all()
    assert (how.decay[..., 0] > 0.3 * how.decay[..., 1]).all() and (how.decay < 0).all()


@pytest.mark.parametrize("config", [FastWeights(), LinearAttentionMemory()], ids=lambda config: type(config).__name__)
def test_sequences_do_not_meet_and_documents_start_afresh(config):
    memory = built(config)
    key, value = draws(3, 50)
    keep = torch.ones(3, 50, dtype=torch.bool)
    keep[:, 0] = keep[1, 20] = False
    together = read(memory, key, key, value, keep)
    alone = read(memory, *(x[1:2, 20:] for x in (key, key, value, keep)))
    torch.testing.assert_close(together.values[1:2, 20:], alone.values, atol=1e-5, rtol=0)
    other = value.clone()
    other[0], other[2] = 7.0, -3.0
    assert torch.equal(read(memory, key, key, other, keep).values[1], together.values[1])


def test_one_token_at_a_time():
    memory = built(FastWeights())
    key, value = draws(2, 70)
    whole, state, parts = read(memory, key, key, value), None, []
    for t in range(70):
        step = read(memory, *(x[:, t : t + 1] for x in (key, key, value)), state=state)
        state = step.state
        parts.append(step.values)
    torch.testing.assert_close(torch.cat(parts, 1), whole.values, atol=1e-4, rtol=0)


def test_a_model_without_memory_has_the_logits_of_one_whose_gate_is_shut():
    config = wetware.BioNanochat.tiny()
    text = torch.randint(1, 67, (2, 30), generator=torch.Generator().manual_seed(0))
    bare = wetware.ablate(config, "memory").build(seed=2)
    torch.testing.assert_close(config.build(seed=2)(text).logits, bare(text).logits, atol=1e-6, rtol=0)


def test_half_lives_must_be_in_order():
    with pytest.raises(wetware.ConfigError, match="shortest"):
        FastWeights(shortest=100.0, longest=10.0)
