"""The scorer: the same figures as reading token by token, at any batch size."""

import math
import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import wetware
from wetware.data import BPE, Bytes, Characters
from wetware.evaluation.scoring import Passage, passages, score

TEXT = "the people of the United States and the people of the union keep the law of the land. " * 20
TOKENIZERS = {
    "BPE": BPE(vocab_size=300).train([TEXT]),
    "Bytes": Bytes().train([]),
    "Characters": Characters().train(["naïve café"]),
}


def model_for(name, tokenizer):
    return replace(wetware.tiny(name), vocab_size=tokenizer.vocab_size).build(3)


def by_steps(model, passage):
    """Sum of log-probabilities and greediness, one token after the other."""
    state, token, total, greedy = model.init_state(1), 0, 0.0, True
    for place, wanted in enumerate(passage.tokens):
        output = model.step(torch.tensor([token]), state)
        state, token = output.state, wanted
        if place >= passage.start:
            total += float(output.logits[0].double().log_softmax(-1)[wanted])
            greedy &= int(output.logits[0].argmax()) == wanted
    return total, greedy


def mixed(vocab):
    """Passages of many lengths; some share a context, some have none, and one counts nothing."""
    dice = random.Random(5)
    draw = lambda count: tuple(dice.randrange(1, vocab) for _ in range(count))  # noqa: E731
    context = draw(23)
    found = [Passage(context + draw(length), 23) for length in (1, 4, 30)]
    found += [Passage(draw(length), 0) for length in (1, 7, 40)]
    found += [Passage(draw(length), length // 2) for length in (2, 19, 33)]
    return [*found, Passage(draw(5), 5), Passage((), 0)]


@pytest.mark.parametrize("name", wetware.model_names())
@torch.no_grad()
def test_any_batch_is_one_by_one(name):
    tokenizer = TOKENIZERS["BPE"]
    model = model_for(name, tokenizer)
    items = mixed(tokenizer.vocab_size)
    # a passage that is all the model's first choice, so that greedy is not always False
    state, token, own = model.init_state(1), 0, []
    for _ in range(9):
        output = model.step(torch.tensor([token]), state)
        state, token = output.state, int(output.logits[0].argmax())
        own.append(token)
    items.append(Passage(tuple(own), 2))
    expected = [by_steps(model, item) for item in items]
    assert {greedy for _, greedy in expected[:-3]} == {False}
    assert expected[-1][1]
    for rows, chunk in ((1, 128), (3, 5), (32, 16)):
        found = score(model, tokenizer, items, rows=rows, chunk=chunk)
        for item, likelihood, (total, greedy) in zip(items, found, expected, strict=True):
            assert likelihood.log_probability == pytest.approx(total, abs=1e-4)
            assert likelihood.greedy == greedy
            assert likelihood.tokens == len(item.tokens) - item.start
            pieces = [tokenizer.pieces[token] for token in item.tokens[item.start :]]
            assert likelihood.bytes == len(b"".join(pieces))


def test_a_shared_context_is_read_once():
    tokenizer = TOKENIZERS["Bytes"]
    model = model_for("gpt", tokenizer)
    read = []
    model.register_forward_pre_hook(lambda module, given: read.append(given[0].numel()))
    items = [Passage((*range(1, 101), end), 100) for end in (7, 8, 9, 10)]
    apart = [score(model, tokenizer, [item])[0] for item in items]
    assert sum(read) == 4 * 101
    read.clear()
    together = score(model, tokenizer, items)
    assert sum(read) == 100 + 4  # the boundary and 99 tokens, then the last token of the context four times
    assert [x.log_probability for x in together] == pytest.approx([x.log_probability for x in apart], abs=1e-5)


@pytest.mark.parametrize("name", wetware.model_names())
@torch.no_grad()
def test_contexts_side_by_side_keep_to_their_own(name):
    """Contexts of unlike lengths in one batch, with unlike numbers of continuations: each forks its own state."""
    tokenizer, dice = TOKENIZERS["Bytes"], random.Random(9)
    model = model_for(name, tokenizer)
    draw = lambda count: tuple(dice.randrange(1, 257) for _ in range(count))  # noqa: E731
    contexts = [(draw(length), count) for length, count in ((19, 4), (23, 2), (21, 1))]
    items = [Passage(context + draw(dice.randint(1, 9)), len(context)) for context, n in contexts for _ in range(n)]
    dice.shuffle(items)
    found = score(model, tokenizer, items, chunk=8)
    for item, likelihood in zip(items, found, strict=True):
        assert likelihood.log_probability == pytest.approx(by_steps(model, item)[0], abs=1e-4)


def test_a_uniform_model_is_known():
    """Without weights every token has the same probability."""
    tokenizer = TOKENIZERS["Bytes"]
    model = model_for("gpt", tokenizer)
    with torch.no_grad():
        model.table.zero_()
    (likelihood,) = score(model, tokenizer, passages(tokenizer, [("ab", "cde")]))
    assert likelihood.log_probability == pytest.approx(-3 * math.log(257))
    assert likelihood.loss == pytest.approx(math.log(257))


def test_progress_reaches_the_end_and_sizes_are_checked():
    tokenizer = TOKENIZERS["Bytes"]
    model, shares = model_for("gpt", tokenizer), []
    score(model, tokenizer, mixed(tokenizer.vocab_size), rows=2, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert score(model, tokenizer, []) == []
    with pytest.raises(ValueError, match="rows = 0"):
        score(model, tokenizer, [], rows=0)


@pytest.mark.parametrize(
    ("context", "continuation", "counted"),
    [
        ("the people of", " the union", b" the union"),
        ("the people of ", "the union", b" the union"),  # the space belongs to the word, on whichever side it was given
        ("the peo", "ple of", b" people of"),  # merged across the border: one token holds both sides
        ("", "the law", b"the law"),
        (" \n", "the law", b" \nthe law"),
        ("the law", "", b""),
    ],
)
def test_the_border_of_a_continuation(context, continuation, counted):
    tokenizer = TOKENIZERS["BPE"]
    ((tokens, start),) = passages(tokenizer, [(context, continuation)])
    assert list(tokens) == tokenizer.encode(context + continuation)
    assert b"".join(tokenizer.pieces[token] for token in tokens[start:]) == counted


@given(st.text(), st.text(), st.sampled_from(sorted(TOKENIZERS)))
def test_every_byte_of_a_continuation_is_counted_and_no_token_more(context, continuation, kind):
    tokenizer = TOKENIZERS[kind]
    try:
        whole = (context + continuation).encode()
    except UnicodeEncodeError:
        return
    ((tokens, start),) = passages(tokenizer, [(context, continuation)])
    pieces = [tokenizer.pieces[token] for token in tokens]
    assert b"".join(pieces) == whole
    stripped = len(context.rstrip().encode())
    assert len(b"".join(pieces[:start])) <= stripped  # nothing of the continuation is left out
    assert (
        start == len(pieces) or len(b"".join(pieces[: start + 1])) > stripped
    )  # the first counted token reaches into it
