import pytest

from wetware.tagging.rules import RuleTagger

PRIVATE = [
    ("mail ann.lee@example.com.", "EMAIL", "ann.lee@example.com"),
    ("see https://a.org/x?y=1.", "URL", "https://a.org/x?y=1"),
    ("from DE89 3704 0044 0532 0130 00 on", "IBAN", "DE89 3704 0044 0532 0130 00"),
    ("card 4111-1111-1111-1111,", "CREDIT_CARD", "4111-1111-1111-1111"),
    ("host 10.20.0.1 up", "IP", "10.20.0.1"),
    ("Date of birth: 12/31/1980", "DOB", "12/31/1980"),
    ("password: hunter2!x", "PASSWORD", "hunter2!x"),
    ("export DB_PASSWORD='hunter2!x'", "PASSWORD", "hunter2!x"),
    ("the password is hunter2!x.", "PASSWORD", "hunter2!x"),
    ('"login": "ann_lee7"', "USERNAME", "ann_lee7"),
    ("SSN 485-77-6351", "ID", "485-77-6351"),
    ("call +49 30 901820 now", "PHONE", "+49 30 901820"),
    ("wohnhaft Ringstraße 4, 10115 Berlin", "ADDRESS", "Ringstraße 4, 10115 Berlin"),
    ("Dear Mr. Lee,", "NAME", "Lee"),
]


@pytest.mark.parametrize(("text", "kind", "value"), PRIVATE)
def test_it_finds(text, kind, value):
    (spans,) = RuleTagger().build().find([text])
    assert (kind, value) in [(span.kind, text[span.start : span.end]) for span in spans]


@pytest.mark.parametrize(
    "text",
    ["version 1.2.345.6 is out", "card 4111-1111-1111-1112", "on 12/31/1980 it rained", "DE89 3704 0044 0532 0130 02"],
)
def test_what_fails_its_check_is_let_be(text):
    (spans,) = RuleTagger().build().find([text])
    assert not {span.kind for span in spans} & {"IP", "CREDIT_CARD", "DOB", "IBAN"}
