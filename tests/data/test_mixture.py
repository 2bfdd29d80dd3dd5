"""Mixtures: what they are made of, and what they hold out."""

from __future__ import annotations

import json
from itertools import islice

import pytest

from wetware.config import ConfigError, from_dict, with_
from wetware.data import Bytes, HubDataset, Mixture, Part, TextFiles, prepare

PAGES = Part(name="pages", corpus=HubDataset(name="short/pages", held_out=0.1), share=0.75)
PROOFS = Part(name="proofs", corpus=HubDataset(name="long/proofs", held_out=0.1), share=0.25)


def test_configs():
    mixture = Mixture(parts=(PAGES, PROOFS))
    assert from_dict(json.loads(json.dumps(mixture.to_dict()))) == mixture
    assert with_(mixture, "parts.proofs.share", "0.5").shares == (0.6, 0.4)
    assert with_(mixture, "parts.proofs.corpus.held_out", 0.2).parts[1].corpus.held_out == 0.2
    assert with_(mixture, "parts.pages", None).shares == (1.0,)
    for wrong, message in (
        ({"parts": ()}, "parts is empty"),
        ({"parts": (PAGES, PAGES)}, "two parts of one name: pages, pages"),
        ({"parts": (PAGES,), "block": 0}, "block = 0 is out of range"),
    ):
        with pytest.raises(ConfigError, match=message):
            Mixture(**wrong)
    with pytest.raises(ConfigError, match="Part.name = 'a.b': allowed are small letters"):
        Part(name="a.b", corpus=PAGES.corpus)
    with pytest.raises(ConfigError, match="is a mixture itself"):
        Part(name="inner", corpus=mixture)


def test_fingerprints(tmp_path):
    (tmp_path / "a.txt").write_text("some text")
    local = Part(name="local", corpus=TextFiles(path=str(tmp_path)))
    mixture = Mixture(parts=(PAGES, local))
    before = mixture.fingerprint()
    assert before == Mixture(parts=(local, PAGES)).fingerprint() == with_(mixture, "keep", 3).fingerprint()
    assert before == with_(with_(mixture, "parts.pages.share", 1.5), "parts.local.share", 2.0).fingerprint()
    assert before != with_(mixture, "parts.pages.share", 0.5).fingerprint()
    (tmp_path / "a.txt").write_text("other text")
    assert before != mixture.fingerprint()


def test_documents_are_mixed_by_bytes_up_to_the_end_of_one_part(hub):
    mixture = Mixture(parts=(PAGES, PROOFS), held_out_documents=20)
    texts = list(mixture.documents("train"))
    size = {name: sum(len(text) for text in texts if text.startswith(name)) for name in ("short", "long")}
    assert abs(size["long"] / sum(size.values()) - 0.25) < 0.01
    assert len(set(texts)) == len(texts)
    held_out = list(mixture.documents("validation"))
    assert len(held_out) == 20 and {text[:4] for text in held_out} == {"shor", "long"}


def test_nothing_held_out_is_trained_on(hub, tmp_path):
    """Over several passes, with copies of documents among them."""
    hub.contents["short/pages"] += hub.contents["short/pages"][:200]
    mixture = Mixture(parts=(PAGES, PROOFS), block=60_000, held_out_documents=30)
    tokenizer, train, validation = prepare(mixture, Bytes(), tmp_path)

    def texts(packed):
        return {tokenizer.decode(packed.read_document(index)) for index in range(packed.documents)}

    trained = set().union(*(texts(train.epoch(index)) for index in range(6)))
    every = {*PAGES.corpus.documents("validation"), *PROOFS.corpus.documents("validation")}
    assert validation.documents == 30
    assert texts(validation) <= every and not trained & every
    assert len(trained) > 900


def test_few_held_out_documents_do_not_read_the_whole(hub):
    list(islice(PAGES.corpus.documents("validation"), 5))
    hub.rows_read.clear()
    list(Mixture(parts=(PAGES,), held_out_documents=5).documents("validation"))
    assert hub.rows_read["short/pages"] < 250
