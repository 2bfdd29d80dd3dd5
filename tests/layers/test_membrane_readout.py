import torch

from wetware.layers import NormalisedReadout, PlainReadout
from wetware.parameters import initialize


def built(config, seed=0):
    readout = config.build(features=6, size=4, vocab_size=5)
    initialize(readout, seed)
    return readout


def test_the_normalised_readout_forgets_how_long_a_vector_is():
    readout, table = built(NormalisedReadout()), torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    hidden = readout.hidden(readout(torch.ones(2, 6)))
    torch.testing.assert_close(hidden.square().mean(-1), torch.ones(2))
    torch.testing.assert_close(readout.logits(hidden, table), readout.logits(7.0 * hidden, table))
    torch.testing.assert_close(readout.logits(hidden, table), 0.5 * hidden @ table.T)


def test_the_plain_readout_is_two_products_and_two_sums():
    readout, table = built(PlainReadout()), torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        readout.bias.copy_(torch.arange(4.0))
        readout.output_bias.copy_(torch.arange(5.0))
    features = torch.linspace(-1, 1, 6)
    expected = table @ (readout.out.weight @ features + torch.arange(4.0)) + torch.arange(5.0)
    torch.testing.assert_close(readout.logits(readout.hidden(readout(features)), table), expected)
