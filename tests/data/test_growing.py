"""Growing: blocks are the same however they came to be, and the next one is made while this one is read."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from wetware.config import with_
from wetware.data import Bytes, DataError, Growing, HubDataset, Mixture, Part, Stream, TextFiles
from wetware.data import growing as room

TOKENIZER = Bytes().train([])
MIXTURE = Mixture(
    parts=(
        Part(name="pages", corpus=HubDataset(name="short/pages", held_out=0.1), share=0.75),
        Part(name="proofs", corpus=HubDataset(name="long/proofs", held_out=0.1), share=0.25),
    ),
    block=20_000,
)
BLOCKS = 5


@pytest.fixture
def straight(hub, tmp_path):
    """The tokens of the first blocks, made in one go."""
    growing = Growing(MIXTURE, TOKENIZER, tmp_path / "straight")
    return [everything(growing.epoch(index)) for index in range(BLOCKS)]


def everything(packed):
    return packed.tokens(0, len(packed))


def chunks(growing, first, last):
    stream = Stream(growing, batch=4, chunk=32, seed=3)
    return [stream.at(step) for step in range(first, last)]


def same(one, other):
    return all(
        torch.equal(a.inputs, b.inputs) and torch.equal(a.targets, b.targets) for a, b in zip(one, other, strict=True)
    )


def test_blocks_hold_whole_documents_and_a_little_more_than_asked(straight):
    longest = 2200
    for tokens in straight:
        assert 20_000 <= len(tokens) < 20_000 + longest
        assert tokens[0] == 0
    assert len({tokens.tobytes() for tokens in straight}) == BLOCKS


def test_a_stream_reads_block_after_block(straight, tmp_path):
    stream = Stream(Growing(MIXTURE, TOKENIZER, tmp_path / "straight"), batch=4, chunk=32, seed=3)
    assert stream.steps_per_epoch == (20_000 // 4 - 1) // 32
    for step in range(0, 4 * stream.steps_per_epoch, 50):
        chunk = stream.at(step)
        epoch = step // stream.steps_per_epoch
        assert chunk.epoch == epoch and chunk.fresh == (step % stream.steps_per_epoch == 0)
        text, row = straight[epoch].tobytes(), chunk.inputs[1].numpy()
        pieces = np.split(row, np.flatnonzero(row == 0))  # the documents of a block are shuffled
        assert all(piece.astype(straight[epoch].dtype).tobytes() in text for piece in pieces)


@pytest.mark.parametrize("lost", [(), (4,), (2, 3), (1, 2, 3, 4), (0, 1, 2, 3, 4)], ids=str)
def test_what_is_not_on_the_disk_is_made_again(straight, tmp_path, lost):
    growing = Growing(MIXTURE, TOKENIZER, tmp_path / "straight")
    for index in lost:
        shutil.rmtree(growing._folder(index))
    again = Growing(MIXTURE, TOKENIZER, tmp_path / "straight")
    for index in (4, 1, 3, 0, 2):
        assert np.array_equal(everything(again.epoch(index)), straight[index])


@pytest.mark.parametrize("block", [1, 3, 4])
def test_a_place_is_enough_to_go_on_elsewhere(straight, hub, tmp_path, monkeypatch, block):
    shutil.rmtree(tmp_path / "straight")
    monkeypatch.setattr("wetware.data.mixing.BATCH_CHARACTERS", 2000)
    Growing(MIXTURE, TOKENIZER, tmp_path / "straight").epoch(block)
    place = Growing(MIXTURE, TOKENIZER, tmp_path / "straight").place(block)
    elsewhere = Growing(MIXTURE, TOKENIZER, tmp_path / "elsewhere")
    elsewhere.go_on(block, place)
    hub.rows_read.clear()
    assert np.array_equal(everything(elsewhere.epoch(block)), straight[block])
    assert sorted(path.name for path in elsewhere.root.glob("block-*")) == ["block-000000", f"block-{block:06d}"]
    assert sum(hub.rows_read.values()) < 300, "what came before the place is not read again"


KILLED = """
import os, sys
from wetware.data import Bytes, Growing, Mixture, Part, TextFiles
mixture = Mixture(parts=(Part(name="local", corpus=TextFiles(path=sys.argv[1])),), block=3000)
growing = Growing(mixture, Bytes().train([]), sys.argv[2])
left = int(sys.argv[3])
original = TextFiles.reader
def write(index):
    growing.epoch(index)
import wetware.data.growing as room
class Deadly(room.Mixer):
    def __next__(self):
        global left
        left -= 1
        if not left:
            os._exit(9)
        return super().__next__()
room.Mixer = Deadly
growing._mixer = None
for index in range(1, 6):
    growing.epoch(index)
"""


@pytest.mark.parametrize("documents", [1, 8, 30])
def test_a_killed_packing_goes_on_as_if_it_had_not_been(tiny_text, tmp_path, documents):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f'{{"text": "row {index} {"of text " * (index % 50)}"}}\n' for index in range(90)))
    done = subprocess.run([sys.executable, "-c", KILLED, str(rows), str(tmp_path / "a"), str(documents)])
    assert done.returncode == 9
    mixture = Mixture(parts=(Part(name="local", corpus=TextFiles(path=str(rows))),), block=3000)
    killed, whole = (Growing(mixture, TOKENIZER, tmp_path / name) for name in ("a", "b"))
    for index in range(6):
        assert np.array_equal(everything(killed.epoch(index)), everything(whole.epoch(index)))
    assert not list(killed.root.glob(".*.partial"))


def test_the_disk_is_bounded_when_asked(straight, hub, tmp_path):
    growing = Growing(with_(MIXTURE, "keep", 2), TOKENIZER, tmp_path / "straight")
    for index in range(BLOCKS):
        growing.epoch(index)
    kept = {path.parent.name for path in growing.root.glob("*/tokens-*.bin")}
    assert kept == {"block-000000", "block-000003", "block-000004"}
    assert np.array_equal(everything(growing.epoch(2)), straight[2])


# ------------------------------------------------------------------------------------------------------------ read-ahead


def test_the_next_block_is_made_while_this_one_is_read(straight, hub, tmp_path):
    growing = Growing(MIXTURE, TOKENIZER, tmp_path / "ahead")
    made = [growing._folder(index) / "packed.json" for index in range(BLOCKS)]
    with growing.reading_ahead():
        for index in range(BLOCKS - 1):
            assert np.array_equal(everything(growing.epoch(index)), straight[index])
            until(made[index + 1].exists)
    assert not [path for path in made if not path.exists()]
    waited = growing.waited
    growing.epoch(2)
    assert growing.waited - waited < 0.1


def until(there, seconds=20.0):
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "nothing happens"
        time.sleep(0.01)


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("block-")]


def test_reading_ahead_is_one_block_and_ends_with_its_holder(hub, tmp_path):
    growing = Growing(MIXTURE, TOKENIZER, tmp_path)
    hub.before = lambda name, row: time.sleep(0.001)
    with growing.reading_ahead():
        growing.epoch(0)
        assert len(threads()) == 1
    assert not threads()
    hub.before = lambda name, row: None
    with growing.reading_ahead():
        growing.epoch(0)
        until(lambda: not threads())
        time.sleep(0.05)
    assert sorted(path.name for path in growing.root.glob("block-*")) == ["block-000000", "block-000001"]
    assert not list(growing.root.glob(".*.partial"))


def test_an_error_ahead_is_raised_where_the_block_is_wanted_and_the_next_try_begins_anew(straight, hub, tmp_path):
    growing = Growing(MIXTURE, TOKENIZER, tmp_path / "ahead")
    broken = True

    def before(name, row):
        if broken and name == "long/proofs" and row > 20:
            raise ConnectionError("unreachable")

    hub.before = before
    # Nothing is left that was read before the network broke.
    growing._mixer = None
    with growing.reading_ahead():
        assert np.array_equal(everything(growing.epoch(0)), straight[0]), "what is there can be read to its end"
        until(lambda: not threads())
        with pytest.raises(DataError, match="cannot stream hf:long/proofs: ConnectionError: unreachable"):
            growing.epoch(1)
        broken = False
        assert np.array_equal(everything(growing.epoch(1)), straight[1])
    assert np.array_equal(everything(growing.epoch(2)), straight[2])


def test_an_error_that_is_nobodys_fault_is_raised_too(hub, tmp_path, monkeypatch):
    growing = Growing(MIXTURE, TOKENIZER, tmp_path)

    def write_tokens(*_):
        raise ZeroDivisionError("in the background")

    monkeypatch.setattr(room, "write_tokens", write_tokens)
    with growing.reading_ahead():
        growing.epoch(0)
        with pytest.raises(ZeroDivisionError, match="in the background"):
            growing.epoch(1)


def test_who_waits_is_told_and_may_give_up(hub, tmp_path, monkeypatch):
    told = []
    growing = Growing(MIXTURE, TOKENIZER, tmp_path)

    def progress(documents, size):
        told.append((documents, size))
        raise KeyboardInterrupt

    growing.progress = progress
    hub.before = lambda name, row: time.sleep(0.005)
    growing._mixer = None
    with pytest.raises(KeyboardInterrupt):
        growing.epoch(1)
    assert told == [(0, 0)]
    assert not threads()
    growing.progress = lambda *done: told.append(done)
    hub.before = lambda name, row: time.sleep(0.002)
    monkeypatch.setattr("wetware.data.mixing.BATCH_CHARACTERS", 1_000)
    growing.epoch(3)
    assert told[-1][0] > 0 and told[-1][1] > 0


def test_a_run_reads_the_same_with_and_without_reading_ahead(hub, tmp_path):
    one, other = (Growing(MIXTURE, TOKENIZER, tmp_path / name) for name in ("a", "b"))
    with one.reading_ahead():
        ahead = chunks(one, 0, 500)
    assert same(ahead, chunks(other, 0, 500))
    assert same(chunks(Growing(MIXTURE, TOKENIZER, tmp_path / "b"), 333, 500), ahead[333:])


def test_a_block_without_room_for_a_chunk(hub, tmp_path):
    growing = Growing(with_(MIXTURE, "block", 100), TOKENIZER, tmp_path)
    with pytest.raises(DataError, match="100 tokens are too few for batch = 4 lanes of chunk = 32"):
        Stream(growing, 4, 32)


def test_the_cache_is_keyed_by_what_matters(hub, tmp_path):
    base = Growing(MIXTURE, TOKENIZER, tmp_path)
    assert Growing(with_(MIXTURE, "keep", 3), TOKENIZER, tmp_path).key == base.key
    others = {
        Growing(with_(MIXTURE, path, value), TOKENIZER, tmp_path).key
        for path, value in (("block", 10_000), ("parts.pages.share", 0.5), ("parts.proofs.corpus.held_out", 0.2))
    }
    assert len(others) == 3 and base.key not in others
    assert Path(base.root).name == f"blocks-{base.key}"
