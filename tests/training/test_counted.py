"""What counts: the assistant's turns, the same targets however the text is cut into chunks, lanes, rows and stretches."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

import wetware
from wetware.config import ConfigError
from wetware.data import (
    BPE,
    Bytes,
    Stream,
    TemplateConversations,
    TextFiles,
    counts_any,
    held_out_rows,
    prepare,
    stream,
)
from wetware.data.conversations import ASSISTANT, END, SPECIALS, USER
from wetware.training import AfterMark, AssistantTurns, EveryToken, held_out_loss


@pytest.fixture(scope="module")
def talks(tiny_text):
    corpus = TemplateConversations(about=TextFiles(path=str(tiny_text)), count=60, held_out=20)
    return prepare(corpus, BPE(vocab_size=300))


def wanted(tokenizer, document):
    """Positions of a document whose tokens count, by reading it from its start."""
    user, assistant, end = (tokenizer.specials[name] for name in SPECIALS)
    found, speaking = [], False
    for position, token in enumerate(document):
        if speaking and token not in (user, assistant, tokenizer.boundary):
            found.append(position)
        if token in (user, assistant, end, tokenizer.boundary):
            speaking = token == assistant
    return found


def all_wanted(tokenizer, packed):
    return [
        int(start) + at
        for index, start in enumerate(packed.starts)
        for at in wanted(tokenizer, packed.read_document(index))
    ]


def test_from_after_the_assistants_name_to_the_end():
    tokenizer = Bytes().train([]).with_specials(SPECIALS)
    rule = AssistantTurns().rule(tokenizer)

    def counted(*texts):
        tokens = [token for text in texts for token in (tokenizer.boundary, *tokenizer.encode_special(text))]
        where = rule(np.array(tokens))
        names = {number: name for name, number in tokenizer.specials.items()}
        kept = np.array(tokens)[where]
        return "".join(names.get(token) or tokenizer.decode([token]) for token in kept.tolist())

    assert counted(f"{USER}Hi{ASSISTANT}Yes.{END}{USER}And?{ASSISTANT}No.{END}") == f"Yes.{END}No.{END}"
    assert counted(f"{USER}Hi{ASSISTANT}cut", f"it is plain{END}{USER}b{ASSISTANT}B{END}") == f"cutB{END}"
    assert counted(f"{ASSISTANT}a{USER}b") == "a"
    assert counted("no turns", f"{USER}only a question") == ""


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 8, 13, 21, 64])
def test_training_counts_the_same_whatever_the_chunk(talks, chunk):
    """Every target of an epoch, by its place in the packed text: counted exactly when its document says so."""
    tokenizer, train, _ = talks
    rule = AssistantTurns().rule(tokenizer)
    lanes = Stream(train, batch=3, chunk=chunk, rule=rule)
    expected = set(all_wanted(tokenizer, train))
    read = 0
    for step in range(lanes.steps_per_epoch):
        given = lanes.at(step)
        row = np.arange(3)[:, None] * lanes._lane + step * chunk + 1 + np.arange(chunk)
        places = lanes._order.positions(row)
        assert given.counted.tolist() == [[place in expected for place in places_of] for places_of in places.tolist()]
        assert (given.targets.numpy() == train.take(places)).all()
        read += given.counted.sum()
    assert 0.1 < read / (lanes.steps_per_epoch * 3 * chunk) < 0.6


@pytest.mark.parametrize("size", [1, 50, 10**9])
def test_stretches_change_nothing(talks, size, monkeypatch):
    tokenizer, train, _ = talks
    monkeypatch.setattr(stream, "STRETCH", size)
    rule = AssistantTurns().rule(tokenizer)
    counting = stream._Counting(train, rule)
    assert np.flatnonzero(counting.take(np.arange(len(train)))).tolist() == all_wanted(tokenizer, train)
    assert counts_any(train, rule) and not counts_any(train, AfterMark(marks="@").rule(tokenizer))


@pytest.mark.parametrize(("chunk", "rows", "limit"), [(1, 4, None), (7, 3, None), (128, 32, None), (16, 4, 200)])
def test_held_out_text_is_scored_by_the_same_rule(talks, chunk, rows, limit):
    tokenizer, _, held_out = talks
    rule = AssistantTurns().rule(tokenizer)
    seen = Counter()
    for step in held_out_rows(held_out, chunk, rows, limit, whole=True, rule=rule):
        assert not (step.scored & ~step.counted).any()
        seen.update(step.targets[step.scored].tolist())
    every = all_wanted(tokenizer, held_out)
    expected = Counter(held_out.take(np.array(every)).tolist())
    assert seen == expected if limit is None else 0 < seen.total() < expected.total()
    if limit is None:
        model = wetware.with_(wetware.tiny("gpt"), "vocab_size", tokenizer.vocab_size).build()
        with torch.no_grad():
            score = held_out_loss(model, held_out, tokenizer.token_bytes, chunk=chunk, rows=rows, rule=rule)
        assert score.tokens == len(every)
        assert score.bytes == sum(int(tokenizer.token_bytes[token]) * count for token, count in expected.items())


def test_a_tokenizer_without_the_names_is_refused():
    with pytest.raises(ConfigError, match=r"no special token '<\|user\|>'.*--data conversations"):
        AssistantTurns().rule(Bytes().train([]))
    assert EveryToken().rule(Bytes().train([])) is None
