from hypothesis import given
from hypothesis import strategies as st

from wetware.tagging.characters import PAD, encode


@given(st.text())
def test_every_character_has_one_token_that_is_not_padding(text):
    tokens = encode(text)
    assert len(tokens) == len(text)
    assert all(0 <= token < PAD for token in tokens)


def test_latin_letters_and_digits_stand_alone_and_odd_bytes_are_read():
    assert len(set(encode("aAäé0123456789"))) == 14
    assert len(encode(b"a\xff".decode("utf-8", "surrogateescape"))) == 2
