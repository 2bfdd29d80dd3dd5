"""Engines beyond the law (``tests/laws``): what the compiled one keeps of odd models, of weights in fewer bits and of its
caller's options, that sessions are alone, and what it refuses."""

from __future__ import annotations

import copy

import pytest
import torch

import wetware
from wetware.config import with_
from wetware.models.engines import WEIGHTS, engines
from wetware.models.generation import Sampling, Session

from ...laws.subjects import lively

PLAIN, GREEDY = Sampling(temperature=0.7), Sampling(temperature=0.0)
PROMPT = [0, 5, 9, 3, 61, 0, 7, 7, 2]


def config(**changes):
    """A tiny Real Sam with fields at these paths changed (``__`` for a dot)."""
    made = wetware.tiny("real_sam")
    for path, value in changes.items():
        made = with_(made, path.replace("__", "."), value)
    return made


@pytest.fixture(scope="module")
def model():
    return lively(config())


def session(name, model, sampling=PLAIN, seed=3, **keywords):
    with engines.using(name):
        return Session(model, sampling, seed, **keywords)


def both(model, sampling=PLAIN, seed=3, **keywords):
    """A session of each engine, the same prompt read."""
    made = [session(name, model, sampling, seed, **keywords) for name in ("numba", "reference")]
    for one in made:
        one.read(PROMPT)
    return made


def assert_write_alike(model, sampling=PLAIN, count=12, **keywords):
    mine, reference = both(model, sampling, **keywords)
    torch.testing.assert_close(mine.logits, reference.logits, atol=1e-4, rtol=0)
    assert mine.tokens(count).tolist() == reference.tokens(count).tolist()


# ------------------------------------------------------------------------------------------------------------------ odd


ODD = {
    "width 27, gate as wide as a panel ends": {"width": 27, "block__gate__rank": 5, "encoder__bits": 64},
    "width 40, rank 3, bits 33": {"width": 40, "block__gate__rank": 3, "encoder__bits": 33},
    "width 1": {"width": 1, "encoder__bits": 1, "block__gate__rank": 1},
    "two tokens": {"vocab_size": 2},
    "no boundary": {"boundary": None},
    "bound": {"block__neuron__reset__bound": 0.4},
}


@pytest.mark.parametrize("changes", ODD.values(), ids=ODD)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_odd_models(changes, weights):
    model = lively(config(**changes))
    prompt = [token % model.vocab_size for token in PROMPT]
    made = [session(name, model, weights=weights) for name in ("numba", "reference")]
    for one in made:
        one.read(prompt)
    torch.testing.assert_close(made[0].logits, made[1].logits, atol=1e-4, rtol=0)
    assert made[0].tokens(8).tolist() == made[1].tokens(8).tolist()


def test_nothing_beyond_the_gate_is_read():
    """Rank 5 is stored as 8; what stands behind the fifth is of another matrix and may be no number (int8 read as floats)."""
    for seed in range(6):
        model = lively(config(width=27, block__gate__rank=5, encoder__bits=64), seed)
        assert_write_alike(model, GREEDY, weights="int8")


# ------------------------------------------------------------------------------------------------------ caller's options


SAMPLINGS = {
    "greedy": GREEDY,
    "plain": PLAIN,
    "top-k": Sampling(temperature=0.7, top_k=5),
    "top-p": Sampling(temperature=0.7, top_p=0.6),
    "both": Sampling(temperature=1.2, top_k=9, top_p=0.7),
    "both, all tokens kept": Sampling(temperature=1.2, top_k=67, top_p=0.3),
    "penalty": Sampling(temperature=0.7, top_k=20, repetition_penalty=1.7),
    "greedy, penalty": Sampling(temperature=0.0, repetition_penalty=3.0),
    "the opposite of a penalty": Sampling(temperature=0.7, repetition_penalty=0.5),
}


@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
@pytest.mark.parametrize("batch", [1, 3, 9])
def test_the_same_tokens_are_written(model, sampling, batch):
    """From prompts with boundaries, and on through boundaries that are chosen: the table makes them likely."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        model.encoder.table[0] *= 3.0
    prompts = torch.randint(0, 67, (batch, 11), generator=torch.Generator().manual_seed(batch))
    prompts[-1, 4] = 0
    written, seen = [], []
    for name in ("numba", "reference"):
        one = session(name, model, sampling, batch=batch)
        one.read(prompts)
        written.append(torch.cat([one.tokens(1), one.tokens(14)], 1))
        seen.append(one.seen)
    assert torch.equal(*written) and torch.equal(*seen)
    assert written[0].shape == (batch, 15)
    if batch == 9 and sampling.temperature > 0:
        assert (written[0] == 0).any() and (written[0][:, 0] != written[0][0, 0]).any()


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64 + 3])
def test_any_seed(model, seed):
    mine, reference = both(model, seed=seed)
    assert mine.tokens(8).tolist() == reference.tokens(8).tolist()


def test_sampling_may_change_on_the_way(model):
    """Greedy choices use no dice, in either engine."""
    texts = []
    for one in both(model, GREEDY):
        parts = [one.tokens(3)]
        for sampling in (PLAIN, GREEDY, SAMPLINGS["top-p"], SAMPLINGS["top-k"]):
            one.sampling = sampling
            parts.append(one.tokens(5))
        texts.append(torch.cat(parts, 1).tolist())
    assert texts[0] == texts[1]


@pytest.mark.parametrize("sampling", [PLAIN, SAMPLINGS["top-p"]], ids=["plain", "top-p"])
def test_no_token_may_be_asked_for(model, sampling):
    for one in both(model, sampling, batch=2):
        before = one.logits.clone()
        none = one.tokens(0)
        assert none.shape == (2, 0) and none.dtype == torch.long and torch.equal(before, one.logits)


@pytest.mark.parametrize("sampling", [PLAIN, SAMPLINGS["top-p"]], ids=["plain", "top-p"])
def test_stop(model, sampling):
    """A single text ends with the stop, which is taken in; several texts do not end before the count."""
    text = session("numba", model, sampling)
    text.read(PROMPT)
    expected = text.tokens(12)[0].tolist()
    stop = expected[6]
    length = expected.index(stop) + 1
    ends = both(model, sampling)
    for one in ends:
        assert one.tokens(12, stop)[0].tolist() == expected[:length]
    assert [one.tokens(4)[0].tolist() for one in ends] == [expected[length : length + 4]] * 2
    for one in both(model, sampling, batch=2):
        assert one.tokens(12, stop).shape == (2, 12)


def test_reading_in_pieces(model):
    whole, pieces = (session("numba", model, batch=2) for _ in range(2))
    prompt = torch.randint(0, 67, (2, 17), generator=torch.Generator().manual_seed(1))
    whole.read(prompt)
    for part in prompt.split((1, 7, 6, 3), 1):
        pieces.read(part)
    assert torch.equal(whole.logits, pieces.logits)
    assert torch.equal(whole.tokens(5), pieces.tokens(5))
