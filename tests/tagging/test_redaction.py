import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tagging.conftest import TAGGERS

from wetware.tagging.entities import Span
from wetware.tagging.redaction import kind_mark, pieces, read_characters, redact, streamed, to_bytes


class Digits:
    """Finds every run of digits, as far as it is shown."""

    def find(self, texts):
        found = []
        for text in texts:
            spans, start = [], None
            for place, sign in enumerate(text + " "):
                if sign in "0123456789":
                    start = place if start is None else start
                elif start is not None:
                    spans.append(Span(start, place, "PHONE"))
                    start = None
            found.append(spans)
        return found


def stays(text, spans):
    """The text without the spans, by the plainest means."""
    kept = [sign for place, sign in enumerate(text) if not any(span.start <= place < span.end for span in spans)]
    return "".join(kept)


signs = st.sampled_from([*"ab1 2\r\n", "é", "字", "😀", "\u2028"])
raw = st.lists(st.one_of(signs.map(str.encode), st.binary(max_size=3)), max_size=60).map(b"".join)


@given(raw=raw, window=st.integers(8, 20), size=st.integers(1, 30))
def test_redaction_replaces_the_entities_and_no_other_byte(raw, window, size):
    text = "".join(read_characters(io.BytesIO(raw)))
    assert to_bytes(text) == raw
    blocks = [text[place : place + size] for place in range(0, len(text), size)]
    made = list(pieces(Digits(), blocks, window=window, margin=64))
    assert "".join(piece.text for piece in made) == text
    spans = [span for piece in made for span in piece.spans]
    assert spans == Digits().find([text])[0]
    assert "".join(redact(piece, lambda span: "") for piece in made) == stays(text, spans)


def test_how_a_text_comes_in_blocks_changes_nothing():
    text = "a1b22 333\r\n" * 40
    whole = list(pieces(Digits(), [text], window=16, margin=8))
    assert list(pieces(Digits(), list(text), window=16, margin=8)) == whole


def test_a_mark_stands_where_the_entity_was():
    (piece,) = pieces(Digits(), ["call 555 now"])
    assert redact(piece, kind_mark) == "call [PHONE] now"


def test_a_character_cut_between_two_reads_is_one_character(monkeypatch):
    monkeypatch.setattr("wetware.tagging.redaction.READ", 1)
    assert "".join(read_characters(io.BytesIO("é😀".encode() + b"\xc3"))) == "é😀\udcc3"


@pytest.mark.parametrize("name", ["spiking", "gru", "delayed"])
@settings(max_examples=10)
@given(raw=raw)
def test_a_network_loses_no_byte_either(name, raw):
    model = TAGGERS[name].build(3)
    model.readout.weight.data.mul_(30)
    text = "".join(read_characters(io.BytesIO(raw)))
    made = list(streamed(model, [text]) if name == "delayed" else pieces(model, [text]))
    assert to_bytes("".join(piece.text for piece in made)) == raw
    spans = [span for piece in made for span in piece.spans]
    assert spans == model.find([text])[0]
    assert "".join(redact(piece, lambda span: "") for piece in made) == stays(text, spans)
