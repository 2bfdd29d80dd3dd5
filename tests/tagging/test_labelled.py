import json

import pytest

from wetware.data import DataError
from wetware.tagging import Span, Templates
from wetware.tagging.labelled import ColumnFiles, MaskedLines, tagged_corpus_from

CONLL = """-DOCSTART- -X- O O

Ann NNP B-PER
Lee NNP I-PER
lives VB O
in IN O
Paris NNP B-LOC

mail NN O
a@b.de NN B-EMAIL
"""


def row(text, *masks):
    return json.dumps(
        {
            "source_text": text,
            "privacy_mask": [dict(zip(("start", "end", "label"), mask, strict=True)) for mask in masks],
        }
    )


def read(kind, tmp_path, content, **fields):
    path = tmp_path / f"x{kind.endings[0]}"
    path.write_text(content)
    return list(kind(path=str(path), **fields).read(path))


def test_columns_become_text_and_spans(tmp_path):
    first, second = read(ColumnFiles, tmp_path, CONLL)
    assert first == ("Ann Lee lives in Paris", (Span(0, 7, "NAME"),))
    assert second == ("mail a@b.de", (Span(5, 11, "EMAIL"),))


def test_masks_become_spans_and_parts_of_a_name_one(tmp_path):
    line = row(
        "Ann Lee, 12 High St, Bath; job: cook", (0, 3, "FIRSTNAME"), (4, 7, "LASTNAME"), (9, 11, "BUILDINGNUMBER")
    )
    masks = json.loads(line)
    masks["privacy_mask"] += [
        {"start": 12, "end": 19, "label": "STREET"},
        {"start": 21, "end": 25, "label": "CITY"},
        {"start": 32, "end": 36, "label": "JOBTITLE"},
    ]
    masks["privacy_mask"] = json.dumps(masks["privacy_mask"])  # as some sets have it
    (example,) = read(MaskedLines, tmp_path, json.dumps(masks) + "\n")
    assert example.spans == (Span(0, 7, "NAME"), Span(9, 25, "ADDRESS"))


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        (ColumnFiles, "Ann\n", "x.conll:1: 'Ann' has one column"),
        (ColumnFiles, "Ann X-PER\n", "x.conll:1: 'X-PER' is no BIO tag"),
        (ColumnFiles, "a O\nAnn B-PERSN\n", "x.conll:2: unknown label 'PERSN'; did you mean 'PERSON'"),
        (MaskedLines, "{\n", "x.jsonl:1: no JSON"),
        (MaskedLines, "[]\n", "x.jsonl:1: a JSON object is wanted"),
        (MaskedLines, '{"source_text": "a"}\n', "'privacy_mask' is missing"),
        (MaskedLines, row("Ann", (0, 9, "NAME")) + "\n", "mask from 0 to 9: allowed 0 to 3"),
        (MaskedLines, row("Ann", (0, 3, "NAMEE")) + "\n", "unknown label 'NAMEE'"),
        (MaskedLines, row("Ann B", (0, 3, "NAME"), (2, 5, "EMAIL")) + "\n", "overlap"),
    ],
)
def test_what_is_malformed_is_named_with_its_line(kind, content, says, tmp_path):
    with pytest.raises(DataError, match=r"^[^\n]*$") as error:
        read(kind, tmp_path, content)
    assert says in str(error.value)


def test_a_label_can_be_left_out_by_name(tmp_path):
    (example,) = read(
        MaskedLines, tmp_path, row("Ann 4711", (0, 3, "NAME"), (4, 8, "BADGE")) + "\n", ignored=("BADGE",)
    )
    assert example.spans == (Span(0, 3, "NAME"),)


def test_a_file_is_dealt_out_and_a_folder_is_read_by_name(tmp_path):
    lines = [row(f"text {index}") for index in range(200)]
    (tmp_path / "all.jsonl").write_text("\n".join(lines))
    texts = tagged_corpus_from(str(tmp_path / "all.jsonl")).build()
    parts = [{example.text for example in texts.held_out(split)} for split in ("train", "development", "test")]
    assert sum(map(len, parts)) == 200 and all(len(part) > 5 for part in parts) and not parts[0] & parts[2]
    assert {texts.training(0, index).text for index in range(len(parts[0]))} == parts[0]
    folder = tmp_path / "set"
    folder.mkdir()
    for name, line in zip(("train", "validation", "test"), lines, strict=False):
        (folder / f"{name}-00.jsonl").write_text(line)
    assert tagged_corpus_from(str(folder)).build().held_out("test")[0].text == "text 2"


def test_what_data_names():
    assert tagged_corpus_from("templates") == Templates()
    assert isinstance(tagged_corpus_from("a.conll"), ColumnFiles)
    with pytest.raises(DataError, match="did you mean 'templates'"):
        tagged_corpus_from("template")
    with pytest.raises(DataError, match=r"no marked texts at 'nowhere\.jsonl'"):
        tagged_corpus_from("nowhere.jsonl").build()
