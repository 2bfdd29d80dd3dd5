"""Generation: how a token is chosen, and a text that is read and written goes on where it stopped."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import wetware
from wetware.config import ConfigError
from wetware.data import Bytes
from wetware.models.dice import Dice
from wetware.models.engines import engines
from wetware.models.generation import Sampling, Session, generate, stream
from wetware.state import leaves

MODELS = wetware.model_names()


def dice(seed=0):
    return Dice(seed)


def nothing_seen(logits):
    return torch.zeros_like(logits, dtype=torch.bool)


def frequencies(sampling, logits, draws=20_000, seen=None):
    """How often each token is chosen."""
    rows = torch.as_tensor(logits, dtype=torch.float32).expand(draws, -1)
    seen = nothing_seen(rows) if seen is None else torch.tensor(seen).expand(draws, -1)
    return torch.bincount(sampling.choose(rows, seen, dice()), minlength=rows.shape[1]) / draws


def close(found, expected):
    """Within five deviations of 20,000 draws."""
    torch.testing.assert_close(
        found, torch.as_tensor(expected, dtype=torch.float32), atol=5 * 0.5 / 20_000**0.5, rtol=0
    )


# ------------------------------------------------------------------------------------------------------------- sampling

LOGITS = torch.tensor([0.1, 0.2, 0.4, 0.3]).log()


@given(
    st.lists(st.floats(-50, 50, width=32), min_size=2, max_size=30), st.floats(0.0, 1.0), st.none() | st.integers(1, 40)
)
def test_no_temperature_takes_the_most_likely(values, top_p, top_k):
    logits = torch.tensor([values])
    sampling = Sampling(temperature=0.0, top_p=top_p, top_k=top_k)
    assert sampling.choose(logits, nothing_seen(logits), None).tolist() == [logits.argmax().item()]


def test_temperature_sharpens_and_flattens():
    close(frequencies(Sampling(temperature=1.0), LOGITS), [0.1, 0.2, 0.4, 0.3])
    squares = torch.tensor([0.01, 0.04, 0.16, 0.09])
    close(frequencies(Sampling(temperature=0.5), LOGITS), squares / squares.sum())
    close(frequencies(Sampling(temperature=100.0), LOGITS), [0.25] * 4)
    close(frequencies(Sampling(temperature=1e-6), LOGITS), [0, 0, 1, 0])


def test_top_k():
    close(frequencies(Sampling(temperature=1.0, top_k=2), LOGITS), [0, 0, 4 / 7, 3 / 7])
    close(frequencies(Sampling(temperature=1.0, top_k=1), LOGITS), [0, 0, 1, 0])
    close(frequencies(Sampling(temperature=1.0, top_k=99), LOGITS), [0.1, 0.2, 0.4, 0.3])


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.0, 1), (0.39, 1), (0.41, 2), (0.69, 2), (0.71, 3), (0.89, 3), (0.91, 4), (1.0, 4)]
)
def test_top_p_keeps_the_smallest_set_that_holds_the_share_and_at_least_one(top_p, kept):
    expected = torch.tensor([0.1, 0.2, 0.4, 0.3])
    expected[expected.argsort()[: 4 - kept]] = 0.0
    close(frequencies(Sampling(temperature=1.0, top_p=top_p), LOGITS), expected / expected.sum())


def test_top_p_is_taken_of_what_temperature_and_top_k_leave():
    """top_k 2 leaves 4/7 and 3/7; of these the first alone holds half."""
    close(frequencies(Sampling(temperature=1.0, top_k=2, top_p=0.5), LOGITS), [0, 0, 1, 0])
    # at temperature 1/2 the first holds 0.16 / 0.30 = 0.53
    close(frequencies(Sampling(temperature=0.5, top_p=0.5), LOGITS), [0, 0, 1, 0])
    assert (frequencies(Sampling(temperature=1.0, top_p=0.5), LOGITS) > 0).sum() == 2


@given(
    st.lists(st.floats(-80, 80, width=32), min_size=2, max_size=20),
    st.floats(0.0, 1.0),
    st.floats(0.01, 100.0),
    st.none() | st.integers(1, 30),
    st.floats(0.01, 100.0),
)
def test_some_token_is_always_chosen(values, top_p, temperature, top_k, penalty):
    logits = torch.tensor([values, values[::-1]])
    sampling = Sampling(temperature=temperature, top_p=top_p, top_k=top_k, repetition_penalty=penalty)
    chosen = sampling.choose(logits, logits > 0, dice())
    assert chosen.shape == (2,) and (chosen >= 0).all() and (chosen < len(values)).all()


def test_repetition_penalty():
    """Positive logits are divided, negative ones multiplied, of seen tokens alone."""
    logits, seen = torch.tensor([2.0, -1.0, 2.0, -1.0]), [True, True, False, False]
    found = frequencies(Sampling(temperature=1.0, repetition_penalty=2.0), logits, seen=seen)
    close(found, torch.tensor([1.0, -2.0, 2.0, -1.0]).softmax(0))
    row = torch.tensor([[1.0, 0.9]])
    greedy = Sampling(temperature=0.0, repetition_penalty=1.2)
    assert greedy.choose(row, torch.tensor([[True, False]]), None).item() == 1
    assert greedy.choose(row, torch.tensor([[True, True]]), None).item() == 0
    assert Sampling(temperature=0.0).choose(row, torch.tensor([[True, False]]), None).item() == 0


def test_rows_are_chosen_for_alone():
    logits = torch.tensor([[5.0, 0.0, 4.0], [0.0, 4.0, 5.0]])
    seen = torch.tensor([[True, False, False], [False, False, False]])
    greedy = Sampling(temperature=0.0, repetition_penalty=10.0)
    assert greedy.choose(logits, seen, None).tolist() == [2, 2]
    narrow = Sampling(temperature=1.0, top_k=1)
    assert narrow.choose(logits, nothing_seen(logits), dice()).tolist() == [0, 2]
    narrow = Sampling(temperature=1.0, top_p=0.1)
    assert narrow.choose(logits, nothing_seen(logits), dice()).tolist() == [0, 2]


@pytest.mark.parametrize(
    "field",
    [{"temperature": -0.1}, {"top_p": 1.1}, {"top_p": -0.1}, {"top_k": 0}, {"repetition_penalty": 0.0}],
    ids=str,
)
def test_no_such_sampling(field):
    with pytest.raises(ConfigError, match=f"Sampling.{next(iter(field))} = .* is out of range"):
        Sampling(**field)


# ------------------------------------------------------------------------------------------------------------- sessions


def session(model, seed=0, **keywords):
    # untrained logits are nearly equal: at a low temperature their differences, and so the state, decide
    return Session(model, Sampling(temperature=0.2), seed, **keywords)


@pytest.fixture(params=MODELS)
def model(request):
    return wetware.tiny(request.param).build(seed=0)


def test_seeds(model):
    texts = []
    for seed in (0, 0, 1):
        one = session(model, seed)
        one.read([0, 5, 9])
        texts.append(list(one.write(30)))
    assert texts[0] == texts[1] != texts[2]
    unseeded = [session(model, None) for _ in range(2)]
    for one in unseeded:
        one.read([0, 5, 9])
    assert list(unseeded[0].write(30)) != list(unseeded[1].write(30))


def test_writing_then_reading_equals_one_long_read(model):
    """What was chosen is taken in: the state and the logits are those of a session that was given the same tokens."""
    written = session(model)
    written.read([0, 3, 1, 4])
    tokens = [written.next(), *written.write(4)]
    written.read([1, 5])
    tokens.append(written.next())
    read = session(model)
    read.read([0, 3, 1, 4, *tokens[:5], 1, 5, tokens[5]])
    torch.testing.assert_close(written.logits, read.logits, atol=1e-4, rtol=0)
    assert torch.equal(written.seen, read.seen)
    assert written.seen[0].nonzero().flatten().tolist() == sorted({0, 3, 1, 4, 5, *tokens})
    for (path, mine), (other, theirs) in zip(leaves(written.state), leaves(read.state), strict=True):
        assert path == other
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=0)


@pytest.mark.parametrize("chunk", [1, 3, 7, 20])
def test_long_prompts_are_read_in_chunks(model, chunk, monkeypatch):
    prompt = torch.randint(1, 67, (20,), generator=torch.Generator().manual_seed(0)).tolist()
    whole, parts = session(model), session(model, chunk=chunk)
    sizes, read = [], parts.engine.read
    monkeypatch.setattr(parts.engine, "read", lambda tokens: (sizes.append(tokens.shape[1]), read(tokens)))
    parts.read(prompt)
    whole.read(prompt)
    assert max(sizes) == chunk and sum(sizes) == 20
    torch.testing.assert_close(whole.logits, parts.logits, atol=1e-4, rtol=0)
    assert torch.equal(whole.seen, parts.seen)


def test_nothing_read_yet(model):
    with pytest.raises(ValueError, match="nothing has been read yet"):
        session(model).next()
    empty = session(model)
    empty.read([])
    with pytest.raises(ValueError, match="nothing has been read yet"):
        empty.next()


def test_sessions_of_one_model_do_not_disturb_each_other(model):
    alone = session(model)
    alone.read([0, 2])
    expected = list(alone.write(12))
    one, other = session(model), session(model, seed=5)
    one.read([0, 2])
    other.read([0, 7, 7])
    woven = []
    for _ in range(12):
        woven.append(one.next())
        other.next()
    assert woven == expected


class Scripted:
    """A session that chooses by a script."""

    write = Session.write

    def __init__(self, *left):
        self.left = list(left)

    def tokens(self, count, stop=None):
        taken = []
        while len(taken) < count and stop not in taken:
            taken.append(self.left.pop(0))
        return torch.tensor([taken])


@pytest.mark.parametrize("block", [1, 2, 8])
def test_writing_ends_before_stop_or_at_the_count(block):
    one = Scripted(4, 5, 0, 6, 7)
    assert list(one.write(10, stop=0, block=block)) == [4, 5]
    assert list(one.write(1, stop=0, block=block)) == [6]
    assert one.left == [7]  # no token is taken that is not asked for
    assert list(Scripted(4, 0, 5).write(3, block=block)) == [4, 0, 5]
    assert list(one.write(0, block=block)) == [] and one.left == [7]


# ----------------------------------------------------------------------------------------------------------------- text


@pytest.fixture(params=MODELS)
def writer(request):
    """A model over bytes and its tokenizer."""
    tokenizer = Bytes().train([])
    config = wetware.with_(wetware.tiny(request.param), "vocab_size", tokenizer.vocab_size)
    return config.build(seed=0), tokenizer


def test_pieces_join_to_the_text(writer):
    hot = Sampling(temperature=2.0)
    pieces = list(stream(*writer, "Fellow citizens", tokens=60, sampling=hot, seed=3))
    text = generate(*writer, "Fellow citizens", tokens=60, sampling=hot, seed=3)
    assert "".join(pieces) == text and all(pieces)
    assert text != generate(*writer, "Fellow citizens", tokens=60, sampling=hot, seed=4)
    # (untrained models hardly tell tokens apart: only a low temperature hears the prompt)
    cool = Sampling(temperature=0.02)
    assert len({generate(*writer, prompt, tokens=30, sampling=cool) for prompt in ("Fellow citizens", "The law")}) == 2
    assert generate(*writer, tokens=0) == ""


def spelling(model, tokenizer, monkeypatch, tokens):
    """The text of a model that chooses these tokens."""
    left = list(tokens)
    monkeypatch.setattr(Sampling, "choose", lambda self, logits, seen, dice: torch.tensor([left.pop(0)]))
    with engines.using("reference"):
        return list(stream(model, tokenizer, "x", tokens=len(tokens)))


def test_characters_are_given_whole(writer, monkeypatch):
    model, tokenizer = writer
    assert spelling(model, tokenizer, monkeypatch, tokenizer.encode("aé€")) == ["a", "é", "€"]
    assert spelling(model, tokenizer, monkeypatch, tokenizer.encode("€")[:2]) == ["\N{REPLACEMENT CHARACTER}"]


def test_a_document_ends_at_its_boundary(writer, monkeypatch):
    model, tokenizer = writer
    tokens = [*tokenizer.encode("ab"), tokenizer.boundary, *tokenizer.encode("cd")]
    assert "".join(spelling(model, tokenizer, monkeypatch, tokens)) == "ab"


def test_the_prompt_comes_after_a_boundary(writer, monkeypatch):
    model, tokenizer = writer
    read = []
    monkeypatch.setattr(Session, "read", lambda self, tokens: read.extend(tokens))
    list(stream(model, tokenizer, "hi", tokens=0))
    assert read == [tokenizer.boundary, *tokenizer.encode("hi")]
