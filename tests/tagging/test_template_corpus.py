import random

import pytest

from wetware.data import DataError
from wetware.tagging import KINDS, Templates
from wetware.tagging.checksums import iban, luhn
from wetware.tagging.examples import SPLITS
from wetware.tagging.template_corpus import fill, templates
from wetware.tagging.values import Values, part_of

ONE = Templates(locales=("en_GB",), held_out=150)


@pytest.fixture(scope="module")
def texts():
    return ONE.build()


def values(examples):
    return {(span.kind, example.text[span.start : span.end]) for example in examples for span in example.spans}


def test_no_part_shares_a_template_or_a_value_with_another(texts):
    parts = {split: {template.text for template in templates() if template.part == split} for split in SPLITS}
    assert all(len(parts[split]) >= 15 for split in SPLITS)
    train, test = values([texts.training(0, index) for index in range(600)]), values(texts.held_out("test"))
    assert not parts["train"] & parts["test"] and not parts["development"] & parts["test"]
    assert len(train) > 500 and len(test) > 200
    assert not train & test and not train & values(texts.held_out("development"))


def test_test_and_training_share_no_word_of_a_name(texts):
    words = [
        {
            word.casefold()
            for kind, value in values(examples)
            if kind == "NAME"
            for word in value.split()
            if len(word) > 2
        }
        for examples in ([texts.training(0, index) for index in range(600)], texts.held_out("test"))
    ]
    assert len(words[1]) > 20 and not words[0] & words[1]


def test_every_register_and_every_kind_is_tested(texts):
    assert {template.register for template in templates() if template.part == "test"} == {
        template.register for template in templates()
    }
    for split in ("train", "test"):
        text = " ".join(template.text for template in templates() if template.part == split)
        assert all(f"{{{kind}}}" in text for kind in KINDS)


def test_examples_depend_on_seed_and_index_alone(texts):
    first = texts.training(3, 17)
    assert [texts.training(3, index) for index in (16, 17)][1] == first
    assert ONE.build().training(3, 17) == first != texts.training(4, 17)


def test_numbers_pass_their_checks_and_those_that_only_look_like_cards_do_not(texts):
    found = values([texts.training(0, index) for index in range(600)])
    cards = ["".join(filter(str.isdigit, value)) for kind, value in found if kind == "CREDIT_CARD"]
    accounts = [value.replace(" ", "") for kind, value in found if kind == "IBAN"]
    assert cards and all(map(luhn, cards)) and accounts and all(map(iban, accounts))
    dice = random.Random(1)
    tracking = [Values("en_GB", "train", dice).draw("tracking") for _ in range(40)]
    long = [number for number in tracking if number.isdigit()]
    assert long and not any(map(luhn, long))


def test_a_template_is_filled_with_its_spans_in_place():
    dice = random.Random(0)
    example = fill("<<Hi|Hello>> {FIRST}, order {order}: {EMAIL}", Values("en_GB", "test", dice), dice)
    assert example.text.startswith(("Hi ", "Hello ")) and [span.kind for span in example.spans] == ["NAME", "EMAIL"]
    name, mail = (example.text[span.start : span.end] for span in example.spans)
    assert "@" in mail and part_of(name) == "test" and example.text.endswith(mail)


def test_case_and_punctuation_take_no_value_to_another_part():
    assert part_of("DE89 3704 0044") == part_of("de89-37040044")


def test_an_unknown_locale_is_named():
    with pytest.raises(DataError, match="Faker knows no locale 'xx_XX'"):
        Templates(locales=("xx_XX",)).build()
