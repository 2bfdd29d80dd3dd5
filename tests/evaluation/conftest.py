"""Small subjects: a tiny model, and a text with characters of more than one byte."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

import wetware
from wetware.data import BPE, TextFiles, prepare
from wetware.evaluation import Subject

WORDS = ("law", "café", "naïve", "straße", "Übermut", "日本", "союз", "🙂", "people", "union", "of", "the")


@pytest.fixture(scope="session")
def small_text(tmp_path_factory):
    """A text of about 9 kB, of which the last tenth is held out: one document."""
    dice = random.Random(5)
    path = tmp_path_factory.mktemp("small") / "text.txt"
    path.write_text(" ".join(dice.choice(WORDS) for _ in range(1500)), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def subject(small_text):
    """``subject("gpt")``: the tiny model of that name, or of a config, with its text. Shared: nothing may change it."""
    corpus = TextFiles(path=str(small_text))
    tokenizer, train, held_out = prepare(corpus, BPE(vocab_size=300))

    def make(config, **more):
        config = wetware.tiny(config) if isinstance(config, str) else config
        config = replace(config, vocab_size=tokenizer.vocab_size, boundary=tokenizer.boundary)
        return Subject("it", config.build(seed=1), tokenizer, corpus, train, held_out, **more)

    return make
