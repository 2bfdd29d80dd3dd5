"""Values: made-up private data, and the public data that looks like it, in three parts that share no value."""

from __future__ import annotations

import hashlib
import random
import string
import uuid
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any, TypeVar

from wetware.data import DataError
from wetware.tagging.checksums import luhn

T = TypeVar("T")

# The order of a date, by locale; the first is the usual one.
DATES = {
    "en_US": ("%m/%d/%Y", "%B %d, %Y", "%Y-%m-%d", "%b %d, %Y", "%m-%d-%Y"),
    "en_GB": ("%d/%m/%Y", "%d %B %Y", "%Y-%m-%d", "%d %b %Y"),
    "de_DE": ("%d.%m.%Y", "%d.%m.%y", "%Y-%m-%d"),
}
OTHER_DATES = ("%d/%m/%Y", "%d-%m-%Y", "%Y-%m-%d", "%d.%m.%Y")
NUMBER_FIRST = ("en_US", "en_GB", "fr_FR")  # the house number stands before the street
MAIL = ("gmail.com", "outlook.com", "yahoo.com", "proton.me", "web.de", "gmx.net", "orange.fr", "icloud.com")
ENDINGS = ("com", "org", "net", "io", "de", "co.uk", "fr", "es", "it", "eu")
UNITS = ("kg", "km", "ms", "GB", "pcs", "%")
NOW = date(2025, 6, 1)  # no draw depends on the day it is made
DRAWS = 1200  # of Faker, for each kind of value
CARDS = (("4", 16), ("5", 16), ("34", 15), ("37", 15), ("6011", 16))  # how cards begin, and how long they are


def part_of(value: str) -> str:
    """The part that a value belongs to: 8 of 10 to train, 1 to development, 1 to test, by a hash of its letters and digits, so
    that neither case nor punctuation takes it to another."""
    key = "".join(letter for letter in value.casefold() if letter.isalnum())
    place = hashlib.blake2b(key.encode(), digest_size=4).digest()[0] % 10
    return "test" if place == 9 else "development" if place == 8 else "train"


@cache
def faker(locale: str) -> Any:
    """Faker in a locale; names that are rare are drawn as often as others, so that there are many."""
    try:
        from faker import Faker
    except ImportError:
        raise DataError("examples from templates need Faker: pip install 'wetware[tag]'") from None
    try:
        return Faker(locale, use_weighting=False)
    except AttributeError:
        raise DataError(f"Faker knows no locale {locale!r}; allowed are names like en_US or de_DE") from None


@cache
def pool(locale: str, kind: str, part: str) -> tuple[str, ...]:
    """What Faker's ``kind`` of a locale gave in ``DRAWS`` draws, of it what belongs to ``part``: drawn once, because Faker is
    slow, and from a seed of its own, so that who asks first changes nothing."""
    source = faker(locale)
    source.seed_instance(f"{locale}/{kind}")
    make = getattr(source, kind)
    drawn = {make(): None for _ in range(DRAWS)}
    found = tuple(value for value in drawn if part_of(value) == part)
    if not found:
        raise DataError(f"Faker's {locale} has too few values of {kind!r}: none for the part {part!r}")
    return found


class Values:
    """Draws values of one ``part`` in one locale. The same dice draw the same values."""

    def __init__(self, locale: str, part: str, dice: random.Random) -> None:
        self.locale, self.part, self.dice = locale, part, dice

    def draw(self, name: str) -> str:
        """A value for a placeholder: private if its name is in capitals, public otherwise."""
        return getattr(self, f"_{name.lower()}" if name.isupper() else f"_public_{name}")()

    def _of(self, kind: str) -> str:
        """One of Faker's, of this part."""
        return self._pick(pool(self.locale, kind, self.part))

    def _own(self, make: Callable[[], str]) -> str:
        """The first of what ``make`` makes that belongs to this part; it must be able to make many."""
        while part_of(value := make()) != self.part:
            pass
        return value

    def _pick(self, options: Sequence[T]) -> T:
        return self.dice.choice(options)

    def _digits(self, count: int) -> str:
        return "".join(self.dice.choices(string.digits, k=count))

    def _word(self) -> str:
        return self._pick(self._of("sentence").rstrip(".").split())

    def _spaced(self, text: str, group: int, separators: str = "  -") -> str:
        separator = self._pick(separators)
        return separator.join(text[place : place + group] for place in range(0, len(text), group))

    # ------------------------------------------------------------------------------------------------------------ private

    def _first(self) -> str:
        return self._of("first_name")

    def _last(self) -> str:
        return self._of("last_name")

    def _name(self) -> str:
        first, last = self._first(), self._last()
        form = self.dice.random()
        if form < 0.70:
            return f"{first} {last}"
        if form < 0.80:
            return f"{first} {self._pick(string.ascii_uppercase)}. {last}"
        if form < 0.87:
            return f"{last}, {first}"
        if form < 0.93:
            return f"{first[0]}. {last}"
        return f"{first} {last}".upper() if form < 0.97 else f"{first} {self._last()} {last}"

    def _slug(self, text: str) -> str:
        plain = text.lower().translate(str.maketrans("äöüéèáàíóúñç", "aoueeaaiounc"))
        return "".join(letter for letter in plain if letter in string.ascii_lowercase) or "x"

    def _domain(self) -> str:
        word = self._of("domain_word")
        return f"{word}.{self._pick(ENDINGS)}"

    def _account(self) -> str:
        first, last = self._slug(self._first()), self._slug(self._last())
        number = self._digits(self.dice.choice((0, 0, 1, 2, 2, 4)))
        forms = (
            f"{first}.{last}",
            f"{first[0]}{last}",
            f"{first}_{last}",
            f"{last}{first[0]}",
            f"{first}",
            f"{first}-{last}",
        )
        return self._pick(forms) + number

    def _email(self) -> str:
        host = self._pick(MAIL) if self.dice.random() < 0.4 else self._domain()
        made = f"{self._own(self._account)}@{host}"
        return made.capitalize() if self.dice.random() < 0.05 else made

    def _username(self) -> str:
        word = lambda: self._slug(self._word())  # noqa: E731
        odd = lambda: f"{word()}{self._pick('_.-')}{word()}{self._digits(self.dice.choice((0, 2, 3)))}"  # noqa: E731
        return self._own(self._account if self.dice.random() < 0.5 else odd)

    def _phone(self) -> str:
        """One of Faker's with its last four digits drawn anew: many more than there are in the pool."""
        known = self._of("phone_number")
        last = [place for place, sign in enumerate(known) if sign.isdigit()][-4:]
        return self._own(
            lambda: "".join(self._digits(1) if place in last else sign for place, sign in enumerate(known))
        )

    def _street(self) -> str:
        street, number = self._of("street_name"), str(self.dice.randrange(1, self._pick((30, 200, 3000))))
        return f"{number} {street}" if self.locale in NUMBER_FIRST else f"{street} {number}"

    def _town(self) -> str:
        city, code = self._of("city"), self._of("postcode")
        if self.locale == "en_US":
            return f"{city}, {self._of('state_abbr')} {code}"
        return f"{city} {code}" if self.locale == "en_GB" else f"{code} {city}"

    def _address(self) -> str:
        form = self.dice.random()
        return self._street() if form < 0.25 else f"{self._street()}, {self._town()}"

    def _lines(self) -> str:
        """An address on two lines."""
        return f"{self._street()}\n{self._town()}"

    def _id(self) -> str:
        return self._of("passport_number" if self.dice.random() < 0.25 else "ssn")

    def _credit_card(self) -> str:
        start, length = self._pick(CARDS)
        number = self._own(lambda: checked(start + self._digits(length - 1 - len(start))))
        return number if self.dice.random() < 0.4 else self._spaced(number, 4)

    def _iban(self) -> str:
        number = self._of("iban")
        return number if self.dice.random() < 0.5 else self._spaced(number, 4, " ")

    def _day(self, oldest: int, youngest: int) -> str:
        day = lambda: (NOW - timedelta(days=self.dice.randrange(365 * youngest, 365 * oldest))).isoformat()  # noqa: E731
        drawn, forms = date.fromisoformat(self._own(day)), DATES.get(self.locale, OTHER_DATES)
        return drawn.strftime(forms[0] if self.dice.random() < 0.5 else self._pick(forms))

    def _dob(self) -> str:
        return self._day(90, 5)

    def _ip(self) -> str:
        four = lambda: ".".join(str(self.dice.randrange(1, 255)) for _ in range(4))  # noqa: E731
        eight = lambda: ":".join(f"{self.dice.randrange(2**16):x}" for _ in range(8))  # noqa: E731
        return self._own(eight if self.dice.random() < 0.25 else four)

    def _url(self) -> str:
        path = "/".join(self._slug(self._word()) for _ in range(self.dice.randrange(3)))
        end = self._pick(
            ("", "", "/", f"?id={self._digits(4)}", f"/{self._own(self._account)}", ".html" if path else "")
        )
        start = self._pick(("https://", "https://www.", "http://", "www."))
        return f"{start}{self._domain()}{'/' if path else ''}{path}{end}"

    def _password(self) -> str:
        if self.dice.random() < 0.6:
            signs = string.ascii_letters + string.digits + "!#$%&*+-=?@^_"
            return self._own(lambda: "".join(self.dice.choices(signs, k=self.dice.randrange(8, 17))))
        word, sign = self._slug(self._word()).capitalize(), self._pick("!#-_")
        return self._own(lambda: word + sign + self._digits(self.dice.randrange(3, 5)))

    # ------------------------------------------------------------------------------------------------------------- public

    def _public_word(self) -> str:
        return self._word()

    def _public_sentence(self) -> str:
        return self._of("sentence")

    def _public_company(self) -> str:
        return self._of("company")

    def _public_place(self) -> str:
        return self._of("city" if self.dice.random() < 0.6 else "country")

    def _public_date(self) -> str:
        return self._day(8, 0)

    def _public_time(self) -> str:
        hour, minute = self.dice.randrange(24), self.dice.randrange(60)
        return f"{hour:02d}:{minute:02d}" + self._pick(("", "", f":{self.dice.randrange(60):02d}"))

    def _public_year(self) -> str:
        return str(self.dice.randrange(1980, 2031))

    def _public_number(self) -> str:
        return self._digits(self.dice.randrange(1, 6)).lstrip("0") or "0"

    def _public_amount(self) -> str:
        return f"{self.dice.randrange(1, 999)} {self._pick(UNITS)}"

    def _public_price(self) -> str:
        whole, cents = f"{self.dice.randrange(1, 20_000):,}", self._digits(2)
        return self._pick(
            (f"${whole}.{cents}", f"€{whole}.{cents}", f"{whole.replace(',', '.')},{cents} €", f"£{whole}")
        )

    def _public_order(self) -> str:
        count = self.dice.randrange(5, 11)
        return self._pick((f"#{self._digits(count)}", f"ORD-{self._digits(4)}-{self._digits(5)}", self._digits(count)))

    def _public_tracking(self) -> str:
        """As long as a card's number, but its check digit is wrong; or with letters."""
        number = self._digits(15)
        wrong = str((int(checked(number)[-1]) + 1 + self.dice.randrange(9)) % 10)
        letters = "".join(self.dice.choices(string.ascii_uppercase, k=2))
        return self._pick((number + wrong, f"{letters}{self._digits(9)}{letters}", f"1Z{self._digits(14)}"))

    def _public_version(self) -> str:
        numbers = [str(self.dice.randrange(30)) for _ in range(self.dice.choice((2, 3, 3, 4, 4)))]
        return self._pick(("", "v")) + ".".join(numbers)

    def _public_hash(self) -> str:
        return "".join(self.dice.choices("0123456789abcdef", k=self.dice.choice((7, 8, 32, 40))))

    def _public_uuid(self) -> str:
        return str(uuid.UUID(int=self.dice.getrandbits(128), version=4))

    def _public_file(self) -> str:
        folder = self._pick(("", "src/", "/var/log/", "docs/", "C:\\temp\\"))
        return f"{folder}{self._slug(self._word())}{self._pick(('.py', '.txt', '.log', '.csv', '.pdf', '.json'))}"

    def _public_product(self) -> str:
        letters = "".join(self.dice.choices(string.ascii_uppercase, k=self.dice.randrange(1, 4)))
        return f"{letters}{self._pick('- ')}{self._digits(self.dice.randrange(2, 5))}"


def checked(digits: str) -> str:
    """``digits`` and the digit that makes of them a card's number."""
    return next(digits + last for last in string.digits if luhn(digits + last))
