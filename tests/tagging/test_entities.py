import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wetware.tagging.entities import KINDS, TAGS, Span, spans_of, tags_of


def test_tags_of_a_text_by_hand():
    tags = tags_of(8, [Span(1, 3, "NAME"), Span(3, 4, "NAME"), Span(5, 7, "PASSWORD")])
    assert [TAGS[tag] for tag in tags] == ["O", "B-NAME", "I-NAME", "B-NAME", "O", "B-PASSWORD", "I-PASSWORD", "O"]


def test_an_inside_without_a_beginning_begins_an_entity():
    name, mail = TAGS.index("I-NAME"), TAGS.index("I-EMAIL")
    assert spans_of([name, name, mail, 0]) == [Span(0, 2, "NAME"), Span(2, 3, "EMAIL")]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5), st.sampled_from(KINDS)), max_size=6))
def test_spans_come_back_from_their_tags(parts):
    spans, place = [], 0
    for gap, length, kind in parts:
        spans.append(Span(place + gap, place + gap + length, kind))
        place += gap + length
    assert spans_of(tags_of(place + 1, spans)) == spans
    assert spans_of(np.zeros(3, int)) == []
