"""A bigram model of low rank, added to the logits."""

import torch

import wetware
from wetware.config import ablate, with_


@torch.no_grad()
def test_the_logits_are_those_of_the_sum():
    config = with_(wetware.tiny("spikewhale"), "traits.bigram_bias", wetware.BigramBias(rank=5))
    model, text = config.build(seed=0), torch.randint(0, 67, (2, 12), generator=torch.Generator().manual_seed(0))
    trait = model.traits["bigram_bias"]
    trait.amount.fill_(0.4)
    _, z = ablate(config, "traits.bigram_bias").build(seed=0).read(text)
    z = z + torch.tanh(torch.tensor(0.4)) * trait.followers[text] / 0.05 @ trait.out.weight.T
    z = z / z.square().mean(-1, keepdim=True).sqrt()
    torch.testing.assert_close(model(text).logits, 0.5 * z @ model.table.T)
