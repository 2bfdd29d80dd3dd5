"""Rules: regular expressions, words that announce a value, and check digits. The baseline without a network."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from wetware.tagging.checksums import iban, luhn
from wetware.tagging.entities import Span
from wetware.tagging.tagger import TaggerConfig


@dataclass(frozen=True, kw_only=True)
class RuleTagger(TaggerConfig):
    """Finds private data by rules, the first that fits first: what has a form of its own (URL, e-mail, card and account
    numbers by their check digits, addresses of the internet), what a word announces (born, password, login, passport, ...),
    and at last phone numbers, streets and names by their looks. English, German, French, Spanish and Italian.

    No list of names: in the made-up data no name of the test is in the training part, so that a list would find none.
    """

    def build(self, seed: int = 0) -> Rules:
        return Rules()


class Rule(NamedTuple):
    """Where ``pattern`` matches and ``accepts`` its value, there is a ``kind``: the group ``v``, or the whole match."""

    kind: str
    pattern: re.Pattern[str]
    accepts: Callable[[str], bool] = lambda value: True


def _digits(value: str) -> str:
    return "".join(sign for sign in value if sign.isdigit())


def _card(value: str) -> bool:
    return 13 <= len(_digits(value)) <= 19 and luhn(_digits(value))


def _account(value: str) -> bool:
    return 15 <= len(value.replace(" ", "")) <= 34 and iban(value.replace(" ", ""))


def _four_bytes(value: str) -> bool:
    return all(int(byte) < 256 for byte in value.split("."))


def _phone(value: str) -> bool:
    return 8 <= len(_digits(value)) <= 16 and not re.fullmatch(f"{DAY}(?: \\d\\d)?", value)


def _person(value: str) -> bool:
    return not any(word in NO_NAMES for word in re.findall(r"\w+", value.lower()))


NO_NAMES = frozenset(
    [
        "a",
        "address",
        "ag",
        "agent",
        "an",
        "and",
        "are",
        "at",
        "bank",
        "bot",
        "by",
        "customer",
        "date",
        "dear",
        "debug",
        "error",
        "for",
        "from",
        "gmbh",
        "group",
        "he",
        "hello",
        "in",
        "inc",
        "info",
        "insert",
        "is",
        "it",
        "item",
        "kg",
        "llc",
        "ltd",
        "madam",
        "my",
        "name",
        "no",
        "note",
        "number",
        "of",
        "on",
        "order",
        "paid",
        "phone",
        "plc",
        "please",
        "sa",
        "select",
        "server",
        "service",
        "she",
        "sir",
        "sons",
        "spa",
        "srl",
        "subject",
        "support",
        "thank",
        "thanks",
        "that",
        "the",
        "this",
        "to",
        "total",
        "tracking",
        "user",
        "version",
        "warn",
        "was",
        "we",
        "where",
        "yes",
        "you",
        "your",
    ]
)
DAY = r"(?:\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}-\d\d-\d\d|\d{1,2} [A-Z][a-z]+ \d{4}|[A-Z][a-z]+ \d{1,2}, \d{4})"
WORD = r"[A-ZÀ-Ý][\w'’-]*\w"  # capitalised
PERSON = rf"{WORD}(?: [A-Z]\.)?(?: {WORD}){{0,2}}"
BORN = r"(?:born|birth\w*|dob|geb\w*|n[ée]+\(?e?\)?|nacimiento|nascita)"
SECRET = r"(?:password|passwort|kennwort|passphrase|secret|pass|PASSWORD|_PASS)"
LOGIN = r"(?:user ?name|user|login|handle|benutzername|account|role)"
NUMBER = (
    r"(?:ssn|social security number|passport|passport no\.?|tax id|id number|dni|codice fiscale"
    r"|versichertennummer|document|id)"
)
GREETING = (
    r"(?:[Dd]ear|[Hh]i|[Hh]ello|[Hh]ey|Hallo|Hola|Bonjour|Liebe[r]?|Gentile|Mr\.|Mrs\.|Ms\.|Dr\.|Herr|Frau|señor)"
)
TITLE = r"(?:(?:Mr|Mrs|Ms|Dr)\.|Herr|Frau|señora?)"
FIELD = (
    r"(?:[Nn]ame|nom|nombre|holder|owner|HOLDER|[Cc]ontact|[Cc]ustomer|[Gg]uest|[Dd]river|[Pp]atient"
    r"|From|To|I am|I'm|called)"
)
FAREWELL = r"(?:regards|wishes|[Bb]est|[Cc]heers|Grüßen?|Cordialement|saludo|[Ss]incerely|[Tt]hanks),?"
STREET = (
    rf"(?:\d{{1,5}}[a-z]?,? (?:{WORD} ){{1,3}}"
    rf"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Drive|Way|Court|Square|Place|Green|Close|Hill)\b"
    rf"|\d{{1,5}},? (?:rue|avenue|boulevard|chemin|place|impasse|quai) (?:d[eu'] ?)?{WORD}(?: {WORD})*"
    rf"|(?:\w+(?:straße|str\.|weg|platz|allee|gasse|ring)|(?:Calle|Avenida|Plaza|Paseo|Via|Viale|Piazza|Borgo|Strada|Corso)"
    rf"(?: de(?: la)?)?(?: {WORD})+) \d{{1,4}})"
)
SMALL = r"(?:d[eu'i] |de la |del |della )?"
TOWN = rf"(?:\d{{4,5}} {WORD}(?: {WORD})*|{WORD}(?: {WORD})*,? (?:[A-Z]{{2}} \d{{5}}|[A-Z]{{1,2}}\d\w? ?\d[A-Z]{{2}}))"


BETWEEN = r"[\"']?(?: ?(?:is|was|ist|lautet|on|am|le)\b)?[\s:=.'\"-]{1,12}"


def _announced(kind: str, words: str, value: str) -> Rule:
    return Rule(kind, re.compile(rf"(?i:(?<![^\W_]){words}){BETWEEN}(?P<v>{value})"))


RULES = (
    Rule("URL", re.compile(r"(?:https?://|www\.)[^\s<>\"'|;,)\]}]*[^\s<>\"'|;,)\]}.:!?]")),
    Rule("EMAIL", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    Rule("IBAN", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), _account),
    Rule("CREDIT_CARD", re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])"), _card),
    Rule("IP", re.compile(r"(?<![\w:])(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?![\w:])", re.IGNORECASE)),
    Rule("IP", re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\w)"), _four_bytes),
    Rule("DOB", re.compile(rf"(?i:\b{BORN})[^\d\n]{{1,12}}(?P<v>{DAY})")),
    _announced("PASSWORD", SECRET, r"[^\s\"',;]{5,}[^\s\"',;.:]"),
    _announced("USERNAME", LOGIN, r"[\w.-]{4,}"),
    Rule("USERNAME", re.compile(r"(?<!\w)[@<](?P<v>[\w.-]{4,})")),
    Rule("ID", re.compile(r"\b(?:\d{3}-\d{2}-\d{4}|[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z])\b")),
    Rule("ID", re.compile(r"\b[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-DT]\b")),
    _announced("ID", NUMBER, r"[A-Z]{0,3}\d[\dA-Z-]{5,15}"),
    Rule("PHONE", re.compile(r"(?<![\w#.-])(?:\+|\(?0|\(\d|\d{3}[ .-])[\d().x/ -]{6,20}\d\b"), _phone),
    Rule("ADDRESS", re.compile(rf"{STREET}(?:[,\n] ?{TOWN})?")),
    Rule("ADDRESS", re.compile(rf"(?:\d{{1,5}} {WORD}(?: {WORD})*|{WORD}(?: {SMALL}{WORD})* \d{{1,4}})[,\n] ?{TOWN}")),
    Rule("NAME", re.compile(rf"\b{GREETING}(?: {TITLE})? (?P<v>{PERSON})"), _person),
    Rule("NAME", re.compile(rf"\b{FIELD}[\"']?[\s:=.\"']{{1,12}}(?P<v>{PERSON})"), _person),
    Rule("NAME", re.compile(rf"\b{FAREWELL}\s+(?P<v>{PERSON})"), _person),
    Rule("NAME", re.compile(rf"(?<![\w.]){WORD}(?: [A-Z]\.)? {WORD}(?! ?(?:{WORD}|\w))"), _person),
)


class Rules:
    """See :class:`RuleTagger`."""

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        return [self._find(text) for text in texts]

    def _find(self, text: str) -> list[Span]:
        taken, spans = bytearray(len(text)), []
        for rule in RULES:
            for match in rule.pattern.finditer(text):
                start, end = match.span("v" if "v" in rule.pattern.groupindex else 0)
                if not any(taken[start:end]) and rule.accepts(text[start:end]):
                    taken[start:end] = b"\1" * (end - start)
                    spans.append(Span(start, end, rule.kind))
        return sorted(spans)
