"""Check digits: what tells a card's or an account's number from any other."""

from __future__ import annotations


def luhn(digits: str) -> bool:
    """Whether a card's number passes: every second digit from the right doubled, all digits summed, divisible by 10 (Luhn,
    1954; ISO/IEC 7812)."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def iban(text: str) -> bool:
    """Whether an account's number, without spaces, passes: the first four signs behind the rest, letters as 10 to 35, rest 1
    modulo 97 (ISO 13616)."""
    return int("".join(str(int(sign, 36)) for sign in text[4:] + text[:4])) % 97 == 1
