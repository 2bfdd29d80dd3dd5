import pytest

from wetware.tagging import Example, Span, measure

TEXT = "Ann Lee a@b.de 555"
THERE = (Span(0, 7, "NAME"), Span(8, 14, "EMAIL"), Span(15, 18, "PHONE"))


def test_figures_by_hand():
    found = [Span(0, 3, "NAME"), Span(8, 14, "EMAIL"), Span(15, 18, "ID")]
    figures = measure([Example(TEXT, THERE)], [found])
    assert figures.all.entities == 3
    assert figures.all.f1 == pytest.approx(1 / 3)  # one of three is right in kind and ends
    assert figures.kinds["EMAIL"].f1 == 1.0 and figures.kinds["NAME"].f1 == 0.0
    assert figures.kinds["NAME"].partial == pytest.approx(0.5)
    assert figures.all.character_recall == pytest.approx((3 + 6 + 3) / 16)
    assert figures.kinds["PHONE"].character_recall == 1.0  # hidden, if by another name
    assert figures.all.character_precision == 1.0
    assert figures.texts == 1 and figures.characters == len(TEXT)


def test_what_is_tagged_in_vain_costs_precision():
    figures = measure([Example(TEXT, ())], [[Span(0, 7, "NAME")]])
    assert figures.all.character_precision == 0.0 and figures.all.character_recall is None
    assert figures.all.precision == 0.0 and figures.all.recall is None
