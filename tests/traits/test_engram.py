"""Engram against its formula, worked out number by number; what its hash sees; which tokens count as one."""

from __future__ import annotations

import math

import pytest
import torch

import wetware
from wetware.config import with_
from wetware.operations import Workload, operations, uncounted
from wetware.traits import Context, DepthwiseConvolution, Engram, Place
from wetware.traits.engram import canonical_ids, primes_above

VOCAB, WIDTH, SMALL = 11, 6, Engram(slots=40, dimension=3, heads=2, max_ngram=3)
WORD = 1 << 64


def memory(config=SMALL, seed=0):
    """An engram that does something: its amount is not 0, and its convolution neither."""
    from wetware.parameters import initialize

    made = config.build(Place(WIDTH, WIDTH, 1, VOCAB, 0))
    initialize(made, seed)
    with torch.no_grad():
        made.amount.fill_(0.7)
        made.slope.fill_(1.3)
        if config.convolution:
            made.convolution.taps.normal_(generator=torch.Generator().manual_seed(5))
    return made


def context(tokens):
    tokens = torch.tensor(tokens)
    return Context(tokens, (tokens != 0).float(), torch.zeros(VOCAB, WIDTH), lambda hidden: hidden)


def hidden(*shape):
    return torch.randn(*shape, WIDTH, generator=torch.Generator().manual_seed(1))


def hashed(made, document):
    """The rows after each token of one document, in whole numbers of Python."""
    primes, found = made.primes.tolist(), []
    for t in range(len(document)):
        past = [document[t - j] if t >= j else VOCAB for j in range(3)]
        for n in (2, 3):
            for head in range(2):
                mixed = 0
                for j in range(n):
                    mixed ^= made.multipliers[n - 2, head, j].item() * past[j] % WORD
                signed = mixed - WORD if mixed >= WORD // 2 else mixed
                found.append(signed % primes[n - 2][head] + made.offsets[n - 2, head].item())
    return torch.tensor(found).view(len(document), 2, 2)


def normed(x):
    return x / (x.square().mean(-1, keepdim=True) + torch.finfo(x.dtype).eps).sqrt()


@torch.no_grad()
@pytest.mark.parametrize("convolution", [None, DepthwiseConvolution(kernel=3)], ids=["alone", "convolution"])
def test_the_formula(convolution):
    made = memory(with_(SMALL, "convolution", convolution))
    document, x = [0, 3, 10, 3, 10, 7, 1, 1, 2, 9], hidden(1, 10)
    rows = hashed(made, document)
    e = made.tables[rows].reshape(10, -1) / 0.05
    q = (normed(x[0]) * normed(e @ made.key.weight.T)).sum(-1) / math.sqrt(WIDTH)
    u = (1 + torch.erf(1.3 * q - 1.0))[:, None] / 2 * (e @ made.value.weight.T)
    added = u.clone()
    if convolution:
        for t in range(10):
            mixed = sum(made.convolution.taps[i] * normed(u[t - 3 * i]) for i in range(3) if t >= 3 * i)
            added[t] += mixed * torch.sigmoid(mixed)
    expected = x[0] + math.tanh(0.7) * added
    torch.testing.assert_close(made(x, made.init_state(1), context([document])).hidden[0], expected)


def test_the_hash_is_spread_and_exact():
    made = memory()
    assert made.primes.flatten().tolist() == [41, 43, 47, 53]
    assert (made.multipliers % 2 != 0).all() and made.multipliers.abs().max() > 2**61
    rows = {tuple(hashed(made, [a, b])[1].flatten().tolist()) for a in range(VOCAB) for b in range(VOCAB)}
    assert len(rows) == VOCAB**2  # collisions of one table are not collisions of all


def test_primes():
    assert [next(primes_above(least)) for least in (1, 2, 4, 40, 4096)] == [2, 3, 5, 41, 4099]


@torch.no_grad()
def test_nothing_before_a_document_matters():
    made, x = memory(), hidden(1, 13)
    texts = [[*start, 0, 4, 5, 6, 7, 8, 9] for start in ([1, 2, 3, 4, 5, 6], [0, 9, 9, 0, 1, 1])]
    outputs = [made(x, made.init_state(1), context([text])) for text in texts]
    assert torch.equal(outputs[0].hidden[:, 6:], outputs[1].hidden[:, 6:])
    assert not torch.equal(outputs[0].hidden[:, :6], outputs[1].hidden[:, :6])
    alone = made(x[:, 6:], made.init_state(1), context([texts[0][6:]]))
    torch.testing.assert_close(outputs[0].hidden[:, 6:], alone.hidden)
    for state, other in ((outputs[0].state, outputs[1].state), (outputs[0].state, alone.state)):
        assert torch.equal(state.tokens, other.tokens)
        torch.testing.assert_close(state.values, other.values)


@torch.no_grad()
@pytest.mark.parametrize("sizes", [(1,) * 13, (5, 1, 7), (2, 11)], ids=str)
def test_chunks(sizes):
    made, x = memory(), hidden(2, 13)
    text = [[3, 1, 4, 1, 0, 5, 9, 2, 6, 5, 3, 5, 8], [0, 7, 1, 8, 2, 8, 1, 8, 2, 0, 0, 4, 5]]
    whole, state, parts, at = made(x, made.init_state(2), context(text)), made.init_state(2), [], 0
    for size in sizes:
        passed = made(x[:, at : at + size], state, context([row[at : at + size] for row in text]))
        parts.append(passed.hidden)
        state, at = passed.state, at + size
    torch.testing.assert_close(torch.cat(parts, 1), whole.hidden)
    assert torch.equal(state.tokens, whole.state.tokens)
    torch.testing.assert_close(state.values, whole.state.values)


def test_canonical_ids():
    pieces = [
        b"",
        b"the",
        b" The",
        b"THE",
        b"  the",
        b" ",
        b"\xc3",
        "ﬁ".encode(),
        b"fi",
        b"\xc3",
        b"a\xcc\x88",
        "Ä".encode(),
    ]
    assert canonical_ids(pieces) == [0, 1, 1, 1, 4, 5, 6, 7, 7, 9, 10, 10]


@torch.no_grad()
def test_tokens_of_one_spelling_are_one(tmp_path):
    """And the checkpoint knows: a loaded model needs no vocabulary."""
    config = with_(with_(wetware.tiny("spikewhale"), "vocab_size", 6), "traits.engram", SMALL)
    model = config.build(seed=0)
    model.read_vocabulary([b"", b"law", b" Law", b"a", b"b", b"c"])
    model.traits["engram"].amount.fill_(1.0)
    loaded, _ = wetware.load(wetware.save(model, tmp_path / "model"))
    for one in (model, loaded):
        assert one.traits["engram"].canonical.tolist() == [0, 1, 1, 3, 4, 5]
        rows = [one(torch.tensor([[0, token, 3]])).state.traits.engram.tokens.tolist() for token in (1, 2, 4)]
        assert rows == [[[1, 3]], [[1, 3]], [[4, 3]]]
    with pytest.raises(ValueError, match="2 pieces for 6 tokens"):
        model.read_vocabulary([b"", b"a"])


def test_every_matrix_is_told():
    config = with_(
        with_(wetware.tiny("spikewhale"), "traits.engram", Engram()), "traits.bigram_bias", wetware.BigramBias()
    )
    model = config.build()
    found = operations(model, Workload(dict.fromkeys(model.modules(), 1.0), torch.ones(67) / 67, 8))
    assert uncounted(model, found) == []
    told = {operation.name: operation.multiply_accumulates for operation in found}
    assert told["traits.engram.tables"] == told["traits.bigram_bias.followers"] == 0
    assert told["traits.engram.value"] == 4 * 32 * 24 and told["traits.engram.convolution.taps"] == 4 * 24


def test_in_bfloat16():
    config = with_(wetware.tiny("spikewhale"), "traits.engram", Engram())
    model, text = config.build(), torch.randint(0, 67, (2, 9))
    with torch.autocast("cpu", torch.bfloat16):
        output = model(text)
        model(text, wetware.state.detach(output.state)).logits.sum().backward()
    assert output.state.traits.engram.values.dtype == torch.float32
    assert model.traits["engram"].amount.grad.isfinite().all()
