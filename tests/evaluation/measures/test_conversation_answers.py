"""Conversations: who knows all answers scores all, who says nothing scores none, and bits are the assistant's alone."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from wetware.data import BPE, Sums, TemplateConversations, TextFiles, prepare
from wetware.data.conversations import END
from wetware.evaluation.measure import Subject
from wetware.evaluation.measures.conversation_answers import ConversationAnswers
from wetware.models import LanguageModel, Output


class Knowing(LanguageModel):
    """Has read all ``documents``, and goes on as the first that begins as the text does; says ``else_`` where none does."""

    def __init__(self, documents, vocab, else_):
        super().__init__()
        self.config = SimpleNamespace(vocab_size=vocab)
        self.documents, self.else_, self.weight = documents, else_, torch.nn.Parameter(torch.zeros(1))

    def init_state(self, batch):
        return torch.zeros(batch, 0, dtype=torch.long)

    def forward(self, tokens, state=None, *, signals=None):
        before = torch.zeros(len(tokens), 0, dtype=torch.long) if state is None else state
        read, start = torch.cat([before, tokens], 1), before.shape[1]
        logits = torch.zeros(*tokens.shape, self.config.vocab_size)
        for row, text in enumerate(read.tolist()):
            for place in range(tokens.shape[1]):
                known = text[: start + place + 1]
                following = (
                    each[len(known)] for each in self.documents if each[: len(known)] == known and each[len(known) :]
                )
                logits[row, place, next(following, self.else_)] = 9.0
        return Output(logits, read)


@pytest.fixture(scope="module")
def talking(tiny_text):
    corpus = TemplateConversations(
        about=TextFiles(path=str(tiny_text)), topics=(Sums(),), longest=2, count=40, held_out=8
    )
    tokenizer, train, held_out = prepare(corpus, BPE(vocab_size=300))
    known = [*corpus.documents("validation"), *replace(corpus, seed=corpus.seed + 1).documents("train")]
    documents = [[tokenizer.boundary, *tokenizer.encode_special(text)] for text in known]
    model = Knowing(documents, tokenizer.vocab_size, tokenizer.specials[END])
    return Subject("talking", model, tokenizer, corpus, train, held_out)


def test_who_knows_all_is_always_right(talking):
    done = []
    figures = ConversationAnswers(conversations=6).take(talking, done.append)
    assert done == sorted(done) and done[-1] == pytest.approx(1.0)
    held_out = [each for talk in talking.corpus.conversations("validation") for each in talk]
    row = figures["kinds"]["arithmetic"]
    assert set(figures["kinds"]) == {"arithmetic"} and row["right"] == row["asked"] <= len(held_out)
    assert row["share"] == row["known_share"] == 1.0 and row["low"] < 1.0 == pytest.approx(row["high"])
    assert figures["bytes"] == sum(len(each.assistant) for each in held_out)
    tokens = sum(len(talking.tokenizer.encode(each.assistant)) + 1 for each in held_out)
    least = tokens * math.log2(1 + (talking.tokenizer.vocab_size - 1) * math.exp(-9)) / figures["bytes"]
    assert figures["bits_per_byte"] == pytest.approx(least, rel=0.3)  # where two documents begin alike it may be wrong
    table = ConversationAnswers().table(json.loads(json.dumps(figures)))
    assert table.rows[0][:2] == ("arithmetic", "100.0%") and "that the assistant says" in table.note


def test_who_says_nothing_is_never_right(talking):
    silent = replace(talking, model=Knowing([], talking.tokenizer.vocab_size, talking.tokenizer.specials[END]))
    row = ConversationAnswers(conversations=6).take(silent, lambda share: None)["kinds"]["arithmetic"]
    assert row["right"] == 0 and row["known_share"] == 0.0 and row["commonest"] > 0


def test_who_does_not_know_the_template_is_not_asked(talking):
    plain = replace(talking, tokenizer=BPE(vocab_size=300).train(["some text"]))
    assert "was not trained on conversations" in ConversationAnswers().refusal(plain)
    assert ConversationAnswers().refusal(talking) is None
