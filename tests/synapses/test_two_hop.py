"""Two hops against the dense formula."""

import torch

from wetware.parameters import initialize
from wetware.synapses import Synapse, TwoHop


def test_equals_the_dense_formula_in_one_piece_and_in_two():
    part = Synapse(two_hop=TwoHop(strength=0.6)).build(heads=2, layer=0)
    initialize(part, 0)
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, 6, 2, 4, generator=generator) for _ in range(3))
    first = torch.zeros(1, 6, dtype=torch.long)
    mask = torch.ones(6, 6, dtype=torch.bool).tril()
    scores = torch.einsum("bqhd,bkhd->bhqk", query, key) / 2.0
    shares = scores.masked_fill(~mask, -torch.inf).softmax(-1)
    once = shares @ value.transpose(1, 2)
    expected = (once + 0.6 * shares @ once).transpose(1, 2)
    whole, _ = part(query, (key,), (value,), first, part.init_state(1), 0, first, 0)
    torch.testing.assert_close(whole, expected, atol=1e-5, rtol=0)
    head, state = part(query[:, :4], (key[:, :4],), (value[:, :4],), first[:, :4], part.init_state(1), 0, first, 0)
    keys, values = ((each[:, :4], each[:, 4:]) for each in (key, value))
    tail, _ = part(query[:, 4:], keys, values, first[:, 4:], state, 4, first, 0)
    torch.testing.assert_close(torch.cat([head, tail], 1), expected, atol=1e-5, rtol=0)
