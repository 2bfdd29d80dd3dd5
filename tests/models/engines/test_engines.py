"""Engines beyond the law (``tests/laws``): what the compiled one keeps of odd models, of weights in fewer bits and of its
caller's options, that sessions are alone, and what it refuses."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import wetware
from wetware.config import with_
from wetware.kernels import Refused
from wetware.models.engines import WEIGHTS, ForwardEngine, compiled, engines, rounded
from wetware.models.engines.pace import Pace
from wetware.models.generation import Sampling, Session
from wetware.state import leaves

from ...laws.subjects import lively

PLAIN, GREEDY = Sampling(temperature=0.7), Sampling(temperature=0.0)
PROMPT = [0, 5, 9, 3, 61, 0, 7, 7, 2]


def config(**changes):
    """A tiny Real Sam with fields at these paths changed (``__`` for a dot)."""
    made = wetware.tiny("real_sam")
    for path, value in changes.items():
        made = with_(made, path.replace("__", "."), value)
    return made


def sharp(config, seed=0):
    """A lively model whose logits differ by some units, as a trained one's do, so that they and not the dice decide."""
    model = lively(config, seed)
    with torch.no_grad():
        model.readout.scale.fill_(20.0)
    return model


@pytest.fixture(scope="module")
def model():
    return sharp(config())


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
    model = sharp(config(**changes))
    prompt = [token % model.vocab_size for token in PROMPT]
    made = [session(name, model, weights=weights) for name in ("numba", "reference")]
    for one in made:
        one.read(prompt)
    torch.testing.assert_close(made[0].logits, made[1].logits, atol=1e-4, rtol=0)
    assert made[0].tokens(8).tolist() == made[1].tokens(8).tolist()


def test_nothing_beyond_the_gate_is_read():
    """Rank 5 is stored as 8; what stands behind the fifth is of another matrix and may be no number (int8 read as floats)."""
    for seed in range(6):
        model = sharp(config(width=27, block__gate__rank=5, encoder__bits=64), seed)
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
        model.encoder.table[0] *= 1.5
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


# -------------------------------------------------------------------------------------------------------------- weights


@pytest.mark.parametrize("weights", ["bfloat16", "int8"])
def test_weights_in_fewer_bits(model, weights):
    """The compiled engine writes what the model with rounded weights writes, which is not what the model itself does."""
    mine, whole = session("numba", model, weights=weights), session("reference", model)
    other = session("reference", rounded(model, weights))
    for one in (mine, whole, other):
        one.read(PROMPT)
    torch.testing.assert_close(mine.logits, other.logits, atol=1e-4, rtol=0)
    assert (mine.logits - whole.logits).abs().max() > 1e-3
    assert mine.tokens(20).tolist() == other.tokens(20).tolist()
    assert_write_alike(model, SAMPLINGS["penalty"], weights=weights, batch=9)


def test_rounded(model):
    """int8: whole numbers times the scale of each output, the largest at 127; the table and vectors stay."""
    for weights, steps in (("bfloat16", 2.0**-8), ("int8", 0.5 / 127)):
        made = dict(rounded(model, weights).named_parameters())
        for path, before in model.named_parameters():
            same = path.startswith("encoder.") or before.ndim < 2
            assert torch.equal(before, made[path]) == same, path
            if not same:
                off, like = before - made[path], before
                if path.endswith("fc_rec"):  # kept with the presynaptic neuron first
                    off, like = off.t(), like.t()
                assert (off.abs() <= steps * like.abs().amax(1, keepdim=True) * 1.001).all()
    assert rounded(model, "float32") is model
    with pytest.raises(ValueError, match="weights = 'int4': allowed float32, bfloat16, int8"):
        rounded(model, "int4")


def test_the_weights_are_taken_as_they_were(model):
    model = copy.deepcopy(model)
    for weights in WEIGHTS:
        one, other = (session("numba", model, weights=weights) for _ in range(2))
        one.read(PROMPT)
        expected, logits = one.tokens(8).tolist(), one.logits
        before = copy.deepcopy(model.state_dict())
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(-1.0)
        other.read(PROMPT)
        assert other.tokens(8).tolist() == expected and torch.equal(other.logits, logits)
        model.load_state_dict(before)


def test_the_model_is_not_changed(model):
    before = copy.deepcopy(model.state_dict())
    session_of = session("numba", model, weights="int8")
    session_of.read(PROMPT)
    session_of.tokens(5)
    assert all(torch.equal(value, before[path]) for path, value in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("sampling", [GREEDY, PLAIN, SAMPLINGS["both"], SAMPLINGS["top-p"]], ids=str)
def test_a_model_that_has_come_apart_still_writes_tokens(model, sampling):
    """Logits that are no numbers choose some token, and read no memory that is not theirs."""
    broken = copy.deepcopy(model)
    with torch.no_grad():
        broken.readout.scale.fill_(torch.nan)
    one = session("numba", broken, sampling, batch=2)
    one.read(PROMPT)
    written = one.tokens(6)
    assert ((written >= 0) & (written < 67)).all()


# ------------------------------------------------------------------------------------------------------- several at once


def test_sessions_are_alone(model):
    alone = session("numba", model)
    alone.read(PROMPT)
    expected = alone.tokens(10)[0].tolist()
    one, other = session("numba", model), session("numba", model, seed=8, batch=3)
    one.read(PROMPT)
    other.read([0, 7, 7])
    woven = []
    for _ in range(10):
        woven.append(one.next())
        other.tokens(1)
    assert woven == expected


def test_a_state_that_was_given_out_does_not_change(model):
    one = session("numba", model)
    one.read(PROMPT)
    state, logits = one.state, one.logits
    before = [leaf.clone() for _, leaf in leaves(state)], logits.clone()
    one.tokens(5)
    assert all(torch.equal(old, new) for old, (_, new) in zip(before[0], leaves(state), strict=True))
    assert torch.equal(before[1], logits)


def test_two_threads_write_at_the_same_time(model):
    def text(seed):
        one = session("numba", model, seed=seed, batch=2)
        one.read(PROMPT)
        found[seed] = one.tokens(150).tolist()

    found: dict[int, list] = {}
    for seed in (0, 1):
        text(seed)
    expected, found = found, {}
    workers = [threading.Thread(target=text, args=(seed,)) for seed in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == expected and expected[0] != expected[1]


def test_two_threads_write_at_the_same_time_each_with_a_helper(model, monkeypatch):
    """Teams that share a sequence do not wait for each other's members."""

    def text(seed):
        one = session("numba", model, seed=seed)
        one.read(PROMPT)
        return one.tokens(12).tolist()

    expected = {seed: text(seed) for seed in (0, 1)}
    monkeypatch.setattr(Pace, "parts", lambda self: self.most)
    torch.set_num_threads(2)
    try:
        with ThreadPoolExecutor(2) as pool:
            found = dict(zip(expected, pool.map(text, expected), strict=True))
    finally:
        torch.set_num_threads(1)
    assert found == expected


@pytest.mark.parametrize("count", [2, 3])
def test_threads_write_what_one_writes(model, count):
    expected = session("numba", model, batch=9)
    expected.read(PROMPT)
    texts = expected.tokens(20)
    torch.set_num_threads(count)
    try:
        one = session("numba", model, batch=9)
        one.read(PROMPT)
        assert torch.equal(one.tokens(20), texts)
    finally:
        torch.set_num_threads(1)


# ------------------------------------------------------------------------------------------------------------- refusals


def test_it_is_chosen_where_it_can(model):
    assert engines.explain(model).startswith("numba: chosen")
    assert type(Session(model, PLAIN).engine).__name__ == "RealSamEngine"


@pytest.mark.parametrize(
    ("build", "keywords", "reason"),
    [
        (lambda: wetware.tiny("gpt").build(), {}, "it is for RealSam and SpikeWhale, and this is a GPT"),
        (lambda: config(block__neuron=wetware.GradedLIF()).build(), {}, "knows LIF neurons only, got GradedLIF"),
        (lambda: config().build().double(), {}, "needs float32 on the CPU, got torch.float64 on cpu"),
        (
            lambda: config(encoder__bits=60_001).build(),
            {},
            "a token has 60001 numbers, and its readout adds up 60000 at",
        ),
        (lambda: config().build(), {"weights": "int4"}, "weights may be float32, bfloat16, int8, got 'int4'"),
    ],
    ids=["GPT", "GradedLIF", "float64", "too many bits", "unknown weights"],
)
def test_refusals(build, keywords, reason):
    model = build()
    assert f"numba: refused, {reason}" in engines.explain(model, **keywords)
    with engines.using("numba"), pytest.raises(Refused, match=reason):
        engines(model, **keywords)
    if keywords:
        with pytest.raises(ValueError, match="allowed float32, bfloat16, int8"):
            Session(model, PLAIN, **keywords)
    else:
        one = Session(model, PLAIN)
        one.read([0, 1])
        assert isinstance(one.engine, ForwardEngine) and one.tokens(2).shape == (1, 2)


def test_as_many_bits_as_it_takes():
    """From 1,040 on a sum of int8 products may be no float: it is rounded, within the bound."""
    model = sharp(config(encoder__bits=2500))
    assert_write_alike(model, PLAIN, 20)
    assert_write_alike(model, GREEDY, 20)


def test_without_numba(model, monkeypatch):
    monkeypatch.setattr(compiled, "why_not", lambda: "numba is not installed")
    assert engines.explain(model) == "numba: refused, numba is not installed; reference: chosen"
    assert isinstance(Session(model, PLAIN).engine, ForwardEngine)


@pytest.mark.parametrize("tokens", [[[67]], [[-1]], [[0, 1]] * 2, [0]], ids=str)
def test_no_such_tokens(model, tokens):
    with engines.using("numba"), pytest.raises(ValueError, match="tokens"):
        engines(model).read(torch.tensor(tokens))
