"""Shared by all tests: one thread, a cache of their own, a small text."""

from __future__ import annotations

import random
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


class HubRows:
    """What the library ``datasets`` gives when it streams: rows, and a state from which another one goes on."""

    def __init__(self, hub: HubStandIn, name: str, subset: str | None) -> None:
        self.hub, self.name, self.subset, self.read = hub, name, subset, 0

    def state_dict(self) -> dict[str, Any]:
        return {"examples_iterable": {"row": self.read}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.read = state["examples_iterable"]["row"]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        texts = self.hub.texts(self.name, self.subset)
        while self.read < len(texts):
            self.hub.rows_read[self.name] = self.hub.rows_read.get(self.name, 0) + 1
            self.hub.before(self.name, self.read)
            self.read += 1  # as there: the state counts a row before it is handed out
            yield {"text": texts[self.read - 1], "id": self.read - 1}


class HubStandIn(types.ModuleType):
    """A module ``datasets`` with a hub of its own. ``calls``: what was asked for. ``rows_read``: how many rows of each data
    set were. ``before(name, row)`` may fail, as a network does."""

    def __init__(self) -> None:
        super().__init__("datasets")
        self.calls: list[tuple] = []
        self.rows_read: dict[str, int] = {}
        self.contents: dict[str, list[str]] = {}
        self.before = lambda name, row: None

    def texts(self, name: str, subset: str | None) -> list[str]:
        return self.contents[name]

    def load_dataset(self, path, name=None, *, split, revision=None, streaming):
        self.calls.append((path, name, split, revision, streaming))
        if path not in self.contents:
            raise FileNotFoundError(f"Dataset {path!r} doesn't exist on the Hub")
        return HubRows(self, path, name)


@pytest.fixture
def hub(monkeypatch) -> HubStandIn:
    """A hub without a network: ``some/one`` of 300 letters, ``short/pages`` and the longer, rarer ``long/proofs``. Nobody
    sleeps before trying again."""
    module, dice = HubStandIn(), random.Random(11)
    module.contents["some/one"] = [f"Letter {index}: the answer to it is {index * index}." for index in range(300)]
    for name, documents, sentences in (("short/pages", 900, 4), ("long/proofs", 300, 14)):
        module.contents[name] = [
            f"{name} {index}. " + " ".join(sentence(dice) for _ in range(dice.randrange(1, 2 * sentences)))
            for index in range(documents)
        ]
    monkeypatch.setitem(sys.modules, "datasets", module)
    monkeypatch.setattr("wetware.data.hub.WAITS", (0, 0, 0))
    return module
