"""Shared by all tests: one thread, a cache of their own, a small text."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from hypothesis import settings

# The same examples every time, however slow the machine: what passes here passes there.
settings.register_profile("wetware", deadline=None, derandomize=True)
settings.load_profile("wetware")

NOUNS = (
    "law",
    "house",
    "people",
    "union",
    "farmer",
    "river",
    "treaty",
    "army",
    "school",
    "debt",
    "bank",
    "ship",
    "road",
)
VERBS = ("makes", "keeps", "sees", "builds", "pays", "guards", "opens", "closes", "serves", "needs")
ADJECTIVES = ("old", "new", "great", "small", "free", "just", "strong", "public", "common", "good")


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Small models run faster on one thread, and sums come in one order."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _cache(tmp_path_factory):
    """Nothing is read from, or left in, the cache of whoever runs the tests; subprocesses see the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WETWARE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def triton_interpreter(monkeypatch):
    """Triton's kernels run on the CPU, slowly. For the tests that ask for it alone: elsewhere they must refuse CPU tensors."""
    monkeypatch.setenv("TRITON_INTERPRET", "1")


def sentence(dice: random.Random) -> str:
    words = ["The", dice.choice(ADJECTIVES), dice.choice(NOUNS), dice.choice(VERBS), "the", dice.choice(NOUNS)]
    if dice.random() < 0.3:
        words += ["and", "the", dice.choice(NOUNS)]
    return " ".join(words) + "."


@pytest.fixture(scope="session")
def tiny_text(tmp_path_factory) -> Path:
    """A folder of 12 short texts, about 60 kB, from a seeded grammar."""
    folder, dice = tmp_path_factory.mktemp("tiny_text"), random.Random(7)
    for index in range(12):
        paragraphs = [" ".join(sentence(dice) for _ in range(8)) for _ in range(16)]
        (folder / f"{index:02d}.txt").write_text("\n\n".join(paragraphs) + "\n")
    return folder
