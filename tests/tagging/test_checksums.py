import pytest

from wetware.tagging.checksums import iban, luhn


@pytest.mark.parametrize("number", ["4111111111111111", "378282246310005", "79927398713"])
def test_cards_pass_and_with_a_digit_changed_they_do_not(number):
    assert luhn(number)
    assert not luhn(number[:-1] + str((int(number[-1]) + 1) % 10))


@pytest.mark.parametrize("number", ["DE89370400440532013000", "GB82WEST12345698765432", "FR1420041010050500013M02606"])
def test_accounts_pass_and_with_two_digits_swapped_they_do_not(number):
    assert iban(number)
    assert not iban(number[:3] + number[4] + number[3] + number[5:])
