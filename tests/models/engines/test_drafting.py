"""Drafting writes what the model writes without it, in fewer passes."""

from __future__ import annotations

import pytest
import torch

import wetware
from wetware.config import ConfigError, with_
from wetware.models.engines import DraftingEngine, drafting
from wetware.models.generation import Sampling, Session
from wetware.state import leaves

GREEDY = Sampling(temperature=0.0)
SAMPLINGS = {
    "greedy": GREEDY,
    "plain": Sampling(temperature=0.8),
    "top-k": Sampling(temperature=0.8, top_k=5),
    "top-p": Sampling(temperature=0.8, top_p=0.7),
    "penalty": Sampling(temperature=0.8, repetition_penalty=1.5),
}
PROMPT = [0, 5, 9, 3, 61, 0, 7, 7, 2]


def whale():
    return with_(wetware.tiny("spikewhale"), "traits.multi_token_prediction", wetware.MultiTokenPrediction())


@pytest.fixture(scope="module")
def model():
    """One that has learned a text with some order in it, a little: its guesses are right at times."""
    made = with_(whale(), "traits.engram", wetware.Engram(slots=50)).build(seed=0)
    generator, optimizer = torch.Generator().manual_seed(0), torch.optim.Adam(made.parameters(), 1e-2)
    for _ in range(40):
        text = torch.randint(1, 67, (8, 1), generator=generator) * 3 ** torch.arange(25) % 67
        noise = torch.randint(0, 67, text.shape, generator=generator)
        text = text.where(torch.rand(text.shape, generator=generator) < 0.8, noise)
        output = made(text[:, :-1])
        (wetware.training.cross_entropy(output.logits, text[:, 1:]) + sum(output.losses.values())).backward()
        optimizer.step()
        optimizer.zero_grad()
    return made


def both(model, sampling, seed=3):
    made = [Session(model, sampling, seed, draft=draft) for draft in (False, True)]
    for one in made:
        one.read(PROMPT)
    assert [isinstance(one.engine, DraftingEngine) for one in made] == [False, True]
    return made


@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
def test_the_same_tokens_in_fewer_passes(model, sampling):
    plain, drafted = both(model, sampling)
    before = drafted.engine.passes
    assert plain.tokens(60).tolist() == drafted.tokens(60).tolist()
    engine = drafted.engine
    assert 0 < engine.accepted < engine.drafted
    # a pass gives a token, and another when its guess was right; the first needs none, what the last one gave may be left
    assert engine.passes - before in (59 - engine.accepted, 60 - engine.accepted)
    assert engine.drafted <= engine.passes
    torch.testing.assert_close(plain.logits, drafted.logits, atol=1e-4, rtol=0)
    for (_, mine), (_, other) in zip(leaves(plain.state), leaves(drafted.state), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-4, rtol=0)
    assert torch.equal(plain.seen, drafted.seen) and plain.dice.draws == drafted.dice.draws


@pytest.mark.parametrize("block", [1, 2, 7])
def test_in_pieces_with_reading_between(model, block):
    """Wherever writing stops, it and everything else goes on as without drafts; sampling may change on the way."""
    texts = []
    for one in both(model, SAMPLINGS["plain"]):
        text = []
        for turn, sampling in enumerate(SAMPLINGS.values()):
            one.sampling = sampling
            for _ in range(4):
                text += one.tokens(block)[0].tolist()
            if turn == 2:
                one.read([4, 8])
        texts.append(text)
    assert texts[0] == texts[1]


def test_never_more_passes_than_without(model):
    """Even when every guess is wrong, and when someone looks at the state after every token."""
    _, one = both(model, GREEDY)
    one.engine.drafter = one.engine.drafter._replace(guess=lambda hidden, token: -one.engine._read.logits)
    before = one.engine.passes
    one.tokens(20)
    assert one.engine.accepted == 0 and one.engine.passes - before == 19
    for turn in range(5):
        one.tokens(1)
        _ = one.state, one.logits, one.state
        assert one.engine.passes - before == 20 + turn + 1


def test_a_right_guess_is_worth_a_pass(model):
    """With guesses that are always right, two tokens a pass."""
    plain, one = both(model, SAMPLINGS["plain"])
    text = plain.tokens(41)[0].tolist()
    truth = iter(
        text[1::2]
    )  # the first token is chosen after the prompt, each odd one guessed, each even one given along
    one.engine.drafter = one.engine.drafter._replace(
        guess=lambda hidden, token: torch.nn.functional.one_hot(torch.tensor([next(truth)]), 67) * 1e6
    )
    before = one.engine.passes
    assert one.tokens(41)[0].tolist() == text
    assert one.engine.passes - before == one.engine.accepted == 20


def test_stop(model):
    plain, _ = both(model, SAMPLINGS["plain"])
    expected = plain.tokens(30)[0].tolist()
    for place in (0, 5, 6, 7, 8):
        stop = expected[place]
        length = expected.index(stop) + 1
        _, one = both(model, SAMPLINGS["plain"])
        assert one.tokens(30, stop)[0].tolist() == expected[:length]
        assert one.tokens(4)[0].tolist() == expected[length : length + 4]
        assert one.tokens(0).shape == (1, 0)


def test_refusals(model):
    assert drafting.refuses(model) is None
    for other in (wetware.tiny("gpt").build(), wetware.tiny("spikewhale").build()):
        with pytest.raises(ConfigError, match=r"no drafts: this .* foretells one token only; .*MultiTokenPrediction"):
            Session(other, GREEDY, draft=True)
    with pytest.raises(ConfigError, match="no drafts: a guess is right or wrong for one text, and there are 2"):
        Session(model, GREEDY, batch=2, draft=True)
    with pytest.raises(ValueError, match="no drafts"):
        DraftingEngine(model, 2)
