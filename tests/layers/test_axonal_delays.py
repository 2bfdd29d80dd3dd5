"""Axonal delays: which channel arrives when, and what a block makes of it."""

import pytest
import torch

import wetware
from wetware.config import ConfigError
from wetware.layers import AxonalDelays, Recurrence, SpikingBlock
from wetware.models.engines import engines
from wetware.modulation import NEUTRAL
from wetware.neurons import LIF
from wetware.parameters import initialize
from wetware.state import leaves

CHANNELS = 10
DELAYS = AxonalDelays(late=(0, 3, 1))
LATE = torch.tensor([0, 0, 0, 0, 3, 3, 3, 1, 1, 1])


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def arrived(u, keep=None, pieces=None):
    underway, heard = DELAYS.init_state(len(u), u), []
    for part, alone in zip(u.split(pieces or u.shape[1], 1), _split(keep, u, pieces), strict=True):
        out, underway = DELAYS.arriving(part, underway, alone)
        heard.append(out)
    return torch.cat(heard, 1)


def _split(keep, u, pieces):
    parts = u.split(pieces or u.shape[1], 1)
    return [None] * len(parts) if keep is None else keep.split(pieces or u.shape[1], 1)


def by_hand(u, keep=None):
    out = torch.zeros_like(u)
    for row in range(u.shape[0]):
        for t in range(u.shape[1]):
            for channel, late in enumerate(LATE.tolist()):
                began = keep is not None and bool((keep[row, max(0, t - late + 1) : t + 1] == 0).any())
                if t >= late and not (began and late):
                    out[row, t, channel] = u[row, t - late, channel]
    return out


@pytest.mark.parametrize("pieces", [None, [1] * 9, [2, 1, 4, 2]])
@pytest.mark.parametrize("starts", [(), ((0, 0), (0, 4), (1, 5), (1, 6))])
def test_formula_in_chunks_and_across_documents(pieces, starts):
    u, keep = noise(2, 9, CHANNELS), torch.ones(2, 9)
    for row, t in starts:
        keep[row, t] = 0
    expected = by_hand(u, keep)
    assert torch.equal(arrived(u, keep, pieces), expected)
    if not starts:
        assert torch.equal(arrived(u, None, pieces), expected)


def test_gradients_arrive_at_what_was_sent():
    u, keep = noise(2, 6, CHANNELS).double().requires_grad_(), torch.ones(2, 6).double()
    keep[1, 3] = 0
    assert torch.autograd.gradcheck(lambda u: arrived(u, keep, [4, 2]), (u,))


def test_a_layer_without_memory_knows_what_stood_where():
    """Neurons that forget at once, no recurrence: with delays a spike at t still depends on u as far back as the longest."""
    block = SpikingBlock(
        neuron=LIF(threshold=0.3, decay=wetware.UniformDecay(value=0.001)),
        recurrence=None,
        delays=DELAYS,
    ).build(width=CHANNELS, depth=1)
    initialize(block, 0)
    x = noise(1, 12, CHANNELS)
    reached = set()
    for t in range(12):
        other = x.clone()
        other[:, t] += 3.0
        pre = [block(each, block.init_state(1), NEUTRAL, None)[1].membrane for each in (x, other)]
        moved = (pre[0] - pre[1]).abs().amax((0, 2)) > 1e-2
        reached |= {int(index) - t for index in moved.nonzero()}
    assert reached == {0, 1, 3}


def test_the_state_of_a_block_without_is_that_of_its_neurons():
    with_, without = (
        SpikingBlock(delays=delays, recurrence=Recurrence()).build(width=CHANNELS, depth=1)
        for delays in (AxonalDelays(late=(2, 0)), None)
    )
    assert with_.init_state(4).underway.shape == (4, 2, CHANNELS)
    assert with_.init_state(4)._fields == (*without.init_state(4)._fields, "underway")


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("late", [(0, 1), (2, 0, 1), (3,)])
def test_the_compiled_engine_gives_what_the_model_gives(late, batch):
    """Read in pieces, a document starting within one: logits, and the state with what is underway."""
    config = wetware.with_(wetware.tiny("real_sam"), "width", 37)  # panels of columns that are not full
    model = wetware.with_(config, "block.delays", AxonalDelays(late=late)).build(seed=1)
    tokens = torch.randint(1, 67, (batch, 20), generator=torch.Generator().manual_seed(2))
    tokens[0, 13] = 0
    with engines.using("numba"):
        engine = engines(model, batch)
    for piece in tokens.split([5, 1, 14], 1):
        engine.read(piece)
    with torch.no_grad():
        expected = model(tokens)
    torch.testing.assert_close(engine.logits(), expected.logits[:, -1], atol=1e-4, rtol=0)
    for (path, mine), (other, theirs) in zip(leaves(engine.state), leaves(expected.state), strict=True):
        assert path == other
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=0)


@pytest.mark.parametrize("late", [(), (1, 1), (-1, 0), (0, 1001)])
def test_delays_are_checked(late):
    with pytest.raises(ConfigError, match=r"AxonalDelays\.late"):
        AxonalDelays(late=late)


def test_delays_can_be_given_in_words():
    model = wetware.with_(wetware.tiny("real_sam"), "block.delays", "AxonalDelays(late=(0,1,4))")
    assert model.block.delays == AxonalDelays(late=(0, 1, 4))
