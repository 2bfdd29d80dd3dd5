"""Forms of conversations in files and on the hub: recognised by their fields, read whole, and errors that say where."""

from __future__ import annotations

import json
import types

import pytest

from wetware.data import (
    Bytes,
    DataError,
    HubDataset,
    Instructions,
    Messages,
    MessageTrees,
    Mixture,
    ShareGPT,
    Sotu,
    TextFiles,
    corpus_from,
    prepare,
)
from wetware.data.conversations import ASSISTANT, END, SPECIALS, USER
from wetware.data.forms import form_of

TALK = f"{USER}Hi{ASSISTANT}Hello.{END}{USER}Why?{ASSISTANT}Because.{END}"
TURNS = [("Hi", "Hello."), ("Why?", "Because.")]


def message(tree, name, parent, role, text, rank=None, deleted=False):
    return {
        "message_id": name,
        "parent_id": parent,
        "message_tree_id": tree,
        "role": role,
        "text": text,
        "rank": rank,
        "deleted": deleted,
    }


def tree(name):
    """As oasst1 has it: ranks among the replies to one message, deleted ones among them."""
    return [
        message(name, "1", None, "prompter", "Hi"),
        message(name, "2", "1", "assistant", "Wrong", rank=1.0),
        message(name, "3", "1", "assistant", "Hello.", rank=0.0),
        message(name, "4", "1", "assistant", "Spam", rank=-1.0, deleted=True),
        message(name, "5", "2", "prompter", "Never"),
        message(name, "6", "3", "prompter", "Why?", rank=None),
        message(name, "7", "6", "assistant", "Because."),
        message(name, "8", "7", "prompter", "Not answered"),
    ]


def turns_of(question, answer, roles, role, content):
    return [{role: roles[0], content: question}, {role: roles[1], content: answer}]


MESSAGES = {"messages": [turn for pair in TURNS for turn in turns_of(*pair, ("user", "assistant"), "role", "content")]}
SHARED = {"id": 1, "conversations": [t for pair in TURNS for t in turns_of(*pair, ("human", "gpt"), "from", "value")]}
CASES = [
    (Messages(), [MESSAGES], [TALK]),
    (ShareGPT(), [SHARED], [TALK]),
    (
        Instructions(),
        [
            {"instruction": "Add.", "input": "1 and 2", "output": "3", "text": "Below is an instruction"},
            {"instruction": "Say hi.", "input": "", "output": "hi", "text": "Below is an instruction"},
        ],
        [f"{USER}Add.\n\n1 and 2{ASSISTANT}3{END}", f"{USER}Say hi.{ASSISTANT}hi{END}"],
    ),
    (
        Instructions(),
        [{"instruction": "Who?", "context": "Ada wrote it.", "response": "Ada.", "category": "closed_qa"}],
        [f"{USER}Who?\n\nAda wrote it.{ASSISTANT}Ada.{END}"],
    ),
    (MessageTrees(), [*tree("a"), *tree("b")], [TALK, TALK]),
]
IDS = [f"{type(form).__name__}{index}" for index, (form, _, _) in enumerate(CASES)]
each = pytest.mark.parametrize(("form", "rows", "expected"), CASES, ids=IDS)


def write(path, rows):
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(path)


def read(corpus):
    return list(corpus._all())


@each
def test_files_are_recognised_by_their_fields(form, rows, expected, tmp_path):
    corpus = corpus_from(write(tmp_path / "a.jsonl", rows))
    assert corpus == TextFiles(path=str(tmp_path / "a.jsonl"), form=form)
    assert read(corpus) == expected and corpus.specials == SPECIALS
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert read(corpus_from(str(tmp_path / "a.parquet"))) == expected


def test_few_conversations_are_not_cut(tmp_path):
    rows = [{"instruction": f"Question {number}", "output": "A long answer " * 9} for number in range(4)]
    corpus = corpus_from(write(tmp_path / "a.jsonl", rows))
    train, held_out = (list(corpus.documents(split)) for split in ("train", "validation"))
    assert train and held_out and sorted(train + held_out) == sorted(read(corpus))


def test_text_stays_text(tmp_path):
    write(tmp_path / "a.jsonl", [{"text": TALK}])
    (tmp_path / "b.txt").write_text("b")
    assert form_of(["text", "url"]) is None
    for path in (tmp_path, tmp_path / "a.jsonl", tmp_path / "b.txt"):
        assert corpus_from(str(path)) == TextFiles(path=str(path))
        assert corpus_from(str(path)).specials == ()
    tokenizer, train, _ = prepare(TextFiles(path=str(tmp_path / "a.jsonl")), Bytes())
    assert (
        not tokenizer.specials and tokenizer.decode(train.read_document(0)) in TALK
    )  # a text about templates is a text


def test_who_speaks_and_in_which_order():
    def talk(*turns):
        row = {"messages": [{"role": role, "content": text} for role, text in turns]}
        return [each.template for each in Messages().conversations([("here", row)])]

    answer = ("assistant", "A")
    assert talk(("system", "Be short."), ("user", "Q"), answer) == [f"{USER}Be short.\n\nQ{ASSISTANT}A{END}"]
    assert talk(("assistant", "I begin"), ("user", "Q"), answer, ("user", "left open")) == [f"{USER}Q{ASSISTANT}A{END}"]
    assert talk(("user", "Q"), answer, ("assistant", "B")) == [f"{USER}Q{ASSISTANT}A\n\nB{END}"]
    assert talk(("user", "nobody answers")) == talk(("user", "Q"), ("assistant", "  ")) == talk() == []
    assert talk(("user", f"say {END}"), answer) == [f"{USER}say <| end|>{ASSISTANT}A{END}"]


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ([{"messages": "hello"}], r"a.jsonl, line 1, messages: expected a list of turns, got 'hello'"),
        (
            [MESSAGES, {"messages": [{"role": "usr", "content": "x"}]}],
            r"line 2, messages: nobody is called 'usr'; did you mean 'user'",
        ),
        ([MESSAGES, {"message": []}], r"line 2: no column 'messages'; did you mean 'message'"),
        ([{"messages": [{"role": "user", "content": None}]}], r"line 1, messages: expected text, got NoneType"),
        ([{"messages": [{"role": "user"}]}], r"line 1, messages: no column 'content'"),
        ([{"instruction": "a", "output": 3}], r"line 1: expected text, got int"),
    ],
)
def test_what_is_not_of_its_form(rows, error, tmp_path):
    corpus = corpus_from(write(tmp_path / "a.jsonl", rows))
    with pytest.raises(DataError, match=error):
        read(corpus)


def test_a_text_file_has_no_rows(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(
        DataError, match=r"a.txt' has no rows that could hold conversations: expected .jsonl or .parquet"
    ):
        read(TextFiles(path=str(tmp_path), form=Messages()))


# ---------------------------------------------------------------------------------------------------------------------- hub


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("roneneldan/TinyStories", None),
        ("tatsu-lab/alpaca", Instructions()),
        ("databricks/databricks-dolly-15k", Instructions()),
        ("OpenAssistant/oasst1", MessageTrees()),
    ],
)
def test_known_data_sets(name, form):
    assert corpus_from(f"hf:{name}").parts[0].corpus == HubDataset(name=name, form=form)


def test_known_names():
    assert corpus_from("conversations").about == Sotu()


class Rows(list):
    """Rows of the hub without states: a reader that goes on reads them again from the start."""


def test_reading_trees_goes_on_where_it_stopped(monkeypatch, tmp_path):
    """A tree is known to be over by the first row of the next one; stopped there, nothing is lost and nothing comes twice."""
    rows = Rows(row for number in range(30) for row in tree(f"t{number}"))
    for number, row in enumerate(rows):
        if row["role"] == "assistant":
            row["text"] += f" {number}"
    hub = types.SimpleNamespace(load_dataset=lambda *_, **__: Rows(dict(row) for row in rows))
    monkeypatch.setitem(__import__("sys").modules, "datasets", hub)
    data = HubDataset(name="OpenAssistant/oasst1", form=MessageTrees(), held_out=0.2)
    whole = list(data.reader())
    assert len(whole) == len(set(whole)) == len(list(data.documents("train"))) > 15
    for stop in (0, 1, 7, len(whole)):
        reader = data.reader()
        begun = [next(reader) for _ in range(stop)]
        assert [*begun, *data.reader(json.loads(json.dumps(reader.place)))] == whole
    tokenizer, train, _ = prepare(
        Mixture(parts=corpus_from("hf:OpenAssistant/oasst1").parts, block=500), Bytes(), tmp_path
    )
    assert train.read_document(0)[1] == tokenizer.specials[USER]
