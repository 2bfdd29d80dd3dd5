"""GRU and LSTM are PyTorch's, document by document."""

from itertools import pairwise

import pytest
import torch
from torch import nn

import wetware
from wetware.models.gru import GRULayer
from wetware.models.lstm import LSTMLayer
from wetware.models.recurrent import Pieces
from wetware.parameters import initialize


def layer_and_peer(kind):
    layer = LSTMLayer(12, 1.0) if kind is nn.LSTM else GRULayer(12)
    initialize(layer, 0)
    peer = kind(12, 12, batch_first=True)
    with torch.no_grad():
        layer.bias.add_(torch.linspace(-1, 1, len(layer.bias)))
        for mine, theirs in zip(layer.weights(), peer.parameters(), strict=True):
            theirs.copy_(mine)
    return layer, peer


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
def test_a_layer_is_pytorchs_run_on_each_document_alone(kind):
    """Outputs and gradients, with documents that start anywhere: at the first token, one after the other, in several rows."""
    layer, peer = layer_and_peer(kind)
    x, tokens = torch.randn(3, 20, 12, generator=torch.Generator().manual_seed(0)), torch.ones(3, 20).long()
    starts = {0: (0, 7, 8), 1: (7, 19), 2: ()}
    for row, places in starts.items():
        tokens[row, list(places)] = 0
    output, state = layer(x, layer.init_state(3), Pieces.of(tokens, 0))
    for row, places in starts.items():
        edges = sorted({0, *places, 20})
        documents = [peer(x[row : row + 1, a:b]) for a, b in pairwise(edges)]
        expected = torch.cat([document[0] for document in documents], 1)
        torch.testing.assert_close(output[row : row + 1], expected, atol=1e-6, rtol=0)
        last = documents[-1][1]
        for mine, theirs in zip(state, last if isinstance(last, tuple) else (last,), strict=True):
            torch.testing.assert_close(mine[row], theirs[0, 0], atol=1e-6, rtol=0)
        (output[row : row + 1].square().sum()).backward(retain_graph=True)
        expected.square().sum().backward()
    for mine, theirs in zip((layer.input_weight, layer.recurrent_weight, layer.bias), peer.parameters(), strict=False):
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-4, rtol=1e-4)


def test_a_chunk_is_cut_only_where_a_document_starts():
    tokens = torch.ones(2, 9).long()
    assert Pieces.of(tokens, 0) == Pieces((0, 9), (None,)) == Pieces.of(tokens, None)
    tokens[0, 4] = tokens[1, 0] = 0
    edges, keep = Pieces.of(tokens, 0)
    assert edges == (0, 4, 9)
    assert [mask.flatten().tolist() for mask in keep] == [[True, False], [False, True]]


def test_the_cell_remembers_from_the_start():
    gates = wetware.LSTM(width=5).cell()
    initialize(gates, 0)
    assert gates.bias.detach().reshape(4, 5).tolist() == [[0.0] * 5, [1.0] * 5, [0.0] * 5, [0.0] * 5]


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_the_first_loss_is_that_of_a_uniform_guess(name):
    config = wetware.tiny(name)
    logits = config.build()(torch.arange(1, 60)[None]).logits
    loss = wetware.training.cross_entropy(logits[:, :-1], torch.arange(2, 60)[None]).detach()
    assert abs(float(loss) - torch.tensor(67.0).log()) < 0.05
