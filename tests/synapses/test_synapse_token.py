"""One query through its synapses, compiled: what the formulas give, with each part alone and with all."""

import pytest
import torch

from wetware.parameters import initialize
from wetware.state import leaves
from wetware.synapses import DistanceBarrier, FrequencyPenalty, SeptinInhibition, Synapse, TwoHop, VesicleRelease
from wetware.synapses.synapse import ask

HEADS, SIZE, BATCH = 2, 5, 2
PARTS = {
    "release": VesicleRelease(strength=0.5),
    "distance": DistanceBarrier(slope=0.3),
    "septin": SeptinInhibition(strength=0.5, window=3),
    "two_hop": TwoHop(strength=0.4),
}
CONFIGS = {name: Synapse(**{name: part}) for name, part in PARTS.items()} | {"all": Synapse(**PARTS)}


def built(config):
    cleft = config.build(heads=HEADS, layer=0)
    initialize(cleft, 0)
    return cleft


def asked(lengths):
    generator = torch.Generator().manual_seed(len(lengths))
    query = torch.randn(BATCH, 1, HEADS, SIZE, generator=generator)
    keys, values = (
        tuple(3 * torch.randn(BATCH, n, HEADS, SIZE, generator=generator) for n in lengths) for _ in range(2)
    )
    return query, keys, values


def read(cleft, keys, values):
    """The state after all keys but the last."""
    keys, values = (torch.cat(parts, 1)[:, :-1] for parts in (keys, values))
    tokens = torch.zeros(keys.shape[:2], dtype=torch.long)
    if not keys.shape[1]:
        return cleft.init_state(BATCH)
    return cleft(keys, (keys,), (values,), tokens, cleft.init_state(BATCH), 0, tokens, 0)[1]


@pytest.mark.parametrize("dropped", [0, 2])
@pytest.mark.parametrize("lengths", [(1,), (40, 8, 1, 1)], ids=str)
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@torch.inference_mode()
def test_equals_the_formulas(config, lengths, dropped):
    cleft, (query, keys, values) = built(config), asked(lengths)
    state, count = read(cleft, keys, values), sum(lengths)
    first = torch.tensor([[0], [min(2, count - 1)]])
    found = []
    for name in ("numba", "reference"):
        with ask.using(name):
            found.append(cleft(query, keys, values, first, state, count - 1, 0 * first, min(dropped, count - 1)))
    (mine, left), (theirs, other) = found
    torch.testing.assert_close(mine, theirs, atol=2e-5, rtol=1e-5)
    for (path, a), (_, b) in zip(leaves(left), leaves(other), strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-5, msg=path)


@torch.inference_mode()
def test_another_release_is_refused():
    cleft, (query, keys, values) = built(Synapse(release=FrequencyPenalty())), asked((3, 1))
    first = torch.zeros(BATCH, 1, dtype=torch.long)
    said = ask.explain(cleft, query, keys, values, first, read(cleft, keys, values), 3, first, 0)
    assert "FrequencyPenalty" in said or "knows VesicleRelease" in said
    assert "reference: chosen" in said
