"""Names of corpora on the command line, and what is said when there is none."""

from __future__ import annotations

import pytest

from wetware.config import from_dict
from wetware.data import DataError, HubDataset, Mixture, Part, Sotu, TextFiles, corpus_from


@pytest.fixture
def texts(tmp_path, monkeypatch):
    """Two folders ``a`` and ``b+c`` here, each with a text."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b+c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tale.txt").write_text("text")
    return tmp_path


def shares(mixture):
    return {part.name: (part.corpus, part.share) for part in mixture.parts}


def test_single_corpora(texts):
    assert corpus_from("sotu") == Sotu()
    assert corpus_from("a") == TextFiles(path="a")
    assert corpus_from("a/tale.txt") == TextFiles(path="a/tale.txt")
    stories = corpus_from("hf:roneneldan/TinyStories")
    assert stories == Mixture(parts=(Part(name="tinystories", corpus=HubDataset(name="roneneldan/TinyStories")),))
    assert shares(corpus_from("hf:a/b:sample-10BT")) == {"b": (HubDataset(name="a/b", subset="sample-10BT"), 1.0)}


def test_mixtures(texts):
    edu, math = "hf:HuggingFaceFW/fineweb-edu:sample-10BT", "hf:HuggingFaceTB/finemath:finemath-4plus"
    mixed = corpus_from(f"0.75*{edu}+0.25*{math}")
    assert mixed == corpus_from("fineweb_finemath")
    assert corpus_from(f" 3 * {edu} + 1 * {math} ").shares == mixed.shares == (0.25, 0.75)
    assert from_dict(mixed.to_dict()) == mixed
    local = corpus_from("0.5*a/+2*b+c/+1e-1*sotu")
    assert shares(local) == {
        "a": (TextFiles(path="a/"), 0.5),
        "b_c": (TextFiles(path="b+c/"), 2.0),
        "sotu": (Sotu(), 0.1),
    }
    assert list(shares(corpus_from("1*a+1*a/tale.txt+1*a"))) == ["a", "tale_txt", "a_2"]
    assert list(shares(corpus_from("1*a"))) == ["a"]


def test_a_mixture_in_a_mixture_keeps_its_share(texts):
    found = shares(corpus_from("0.5*fineweb_finemath+0.5*a"))
    assert {name: share for name, (_, share) in found.items()} == {"fineweb_edu": 0.375, "finemath": 0.125, "a": 0.5}


def test_a_path_with_a_star_in_it_is_a_path(texts):
    (texts / "2*a").mkdir()
    (texts / "2*a" / "tale.txt").write_text("text")
    assert corpus_from("2*a") == TextFiles(path="2*a")


@pytest.mark.parametrize("name", ["stou", "sotuu"])
def test_a_misspelt_corpus(name):
    with pytest.raises(DataError, match="did you mean 'sotu'"):
        corpus_from(name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a/tail.txt", r"did you mean 'a/tale.txt'"),
        ("hf:TinyStories", "expected hf:OWNER/NAME"),
        ("", "no data ''"),
        ("fineweb_finmath", "did you mean 'fineweb_finemath'"),
        ("0.5*a+0.5*stou", "no data 'stou'.*did you mean 'sotu'"),
        ("0.5*a+O.5*sotu", "'O.5' is no share; expected a number above 0"),
        ("*a", "'' is no share"),
        ("sotu+0.5*a", r"'sotu' has no share; expected SHARE\*TEXT, as in 0.25\*sotu"),
        ("0*a+1*sotu", "'0' is no share"),
        ("-1*a+1*sotu", "'-1' is no share"),
        ("inf*a", "'inf' is no share"),
        ("0.5*hf:a+0.5*sotu", "data = 'hf:a': expected hf:OWNER/NAME"),
        ("0.5*a+", r"no data 'a\+'"),
    ],
)
def test_names_that_are_no_corpus(texts, text, message):
    with pytest.raises(DataError, match=message) as caught:
        corpus_from(text)
    assert "\n" not in str(caught.value)


def test_files_of_another_kind(tmp_path):
    (tmp_path / "a.csv").write_text("text")
    with pytest.raises(DataError, match=r"'.csv' is not one of"):
        corpus_from(str(tmp_path / "a.csv"))
