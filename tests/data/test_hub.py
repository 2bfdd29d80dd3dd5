"""The hub: rows are read once and in order, whatever the network does and wherever reading was interrupted."""

from __future__ import annotations

import json
import sys
from itertools import islice

import pytest

from wetware.data import DataError, HubDataset
from wetware.data import hub as room


def test_data_sets_are_streamed_and_split_by_content(hub):
    corpus = HubDataset(name="some/one", subset="en", limit=200, held_out=0.1)
    train, validation = (list(corpus.documents(split)) for split in ("train", "validation"))
    assert sorted(train + validation) == sorted(hub.contents["some/one"][:200])
    assert 8 <= len(validation) <= 35
    assert set(hub.calls) == {("some/one", "en", "train", None, True)}
    assert corpus.fingerprint() != HubDataset(name="some/one", limit=200, held_out=0.1).fingerprint()


def test_errors(hub, monkeypatch):
    with pytest.raises(DataError, match="hf:some/one, row 0: no column 'texts'; did you mean 'text'"):
        list(HubDataset(name="some/one", column="texts").documents("train"))
    hub.calls.clear()
    with pytest.raises(DataError, match="cannot stream hf:no/where: FileNotFoundError.*Hub$"):
        list(HubDataset(name="no/where").documents("train"))
    assert len(hub.calls) == 1, "what is not there is not asked for again"
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'wetware\[hf\]'"):
        list(HubDataset(name="some/one").documents("train"))


@pytest.mark.parametrize("read", [0, 1, 99, 270, 1000])
@pytest.mark.parametrize("limit", [None, 150])
def test_a_reader_goes_on_where_another_one_was(hub, read, limit):
    corpus = HubDataset(name="some/one", held_out=0.1, limit=limit)
    whole, first = list(corpus.documents("train")), corpus.reader()
    assert list(islice(first, read)) == whole[:read]
    place = json.loads(json.dumps(first.place))
    hub.rows_read.clear()
    second = corpus.reader(place)
    assert list(second) == whole[read:]
    assert hub.rows_read.get("some/one", 0) <= max(0, 300 - read), "what was read is not read again"
    assert list(first) == whole[read:]


def test_a_reader_of_rows_without_states_reads_them_again(hub, monkeypatch):
    monkeypatch.setattr(hub, "load_dataset", lambda *_, **__: [{"text": text} for text in hub.contents["some/one"]])
    corpus = HubDataset(name="some/one", held_out=0.1)
    whole, first = list(corpus.documents("train")), corpus.reader()
    assert list(islice(first, 70)) == whole[:70]
    assert list(corpus.reader(json.loads(json.dumps(first.place)))) == whole[70:]


def test_a_network_that_fails_now_and_then_loses_nothing(hub):
    failing = {0: 2, 1: 1, 77: 3, 299: 3}

    def before(name, row):
        if failing.get(row):
            failing[row] -= 1
            raise ConnectionError("reset by peer")

    corpus = HubDataset(name="some/one", held_out=0.1)
    whole = list(corpus.documents("train"))
    hub.before = before
    reader = corpus.reader()
    hub.rows_read.clear()
    left = sum(failing.values())
    assert left >= 6 and list(reader) == whole
    assert not any(failing.values())
    assert hub.rows_read["some/one"] == 300 + left, "a new try reads nothing again"


def test_it_is_given_up_after_so_many_tries_with_a_growing_wait(hub, monkeypatch):
    slept = []
    monkeypatch.setattr(room, "WAITS", (1, 2, 4))
    monkeypatch.setattr(room.time, "sleep", slept.append)

    def before(name, row):
        if row >= 120:
            raise TimeoutError("the read\noperation timed out")

    hub.before = before
    reader = HubDataset(name="some/one", held_out=0.1).reader()
    message = r"^cannot stream hf:some/one: TimeoutError: the read operation timed out \(at row 120, tried 4 times\)$"
    with pytest.raises(DataError, match=message):
        list(reader)
    assert slept == [1, 2, 4]


@pytest.mark.parametrize("read", [1, 45, 99])
def test_the_library_itself(tmp_path, monkeypatch, read):
    """The stand-in above does as the library does: its states, over files with several groups of rows."""
    datasets = pytest.importorskip("datasets")
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    for shard in range(3):
        texts = [f"shard {shard}, row {row}" for row in range(40)]
        parquet.write_table(pyarrow.table({"text": texts}), tmp_path / f"{shard}.parquet", row_group_size=16)
    files = [str(tmp_path / f"{shard}.parquet") for shard in range(3)]
    load = datasets.load_dataset

    def load_dataset(name, subset, **asked):
        del asked["revision"]
        return load("parquet", data_files=files, cache_dir=str(tmp_path / "cache"), **asked)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    corpus = HubDataset(name="some/files", held_out=0.1)
    whole, first = list(corpus.documents("train")), corpus.reader()
    assert len(whole) > 100
    assert list(islice(first, read)) == whole[:read]
    assert list(corpus.reader(json.loads(json.dumps(first.place)))) == whole[read:]
