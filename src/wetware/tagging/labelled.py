"""Real marked texts: column files of tokens and tags, and JSON lines with masks of characters."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from wetware.config import nearest
from wetware.data import DataError
from wetware.tagging.entities import Span
from wetware.tagging.examples import SPLITS, Example, ListedTexts, TaggedCorpus, TaggedTexts
from wetware.tagging.template_corpus import Templates

# What others call our kinds, in capitals and without signs between the words. ai4privacy's sets name more than we have.
LABELS = {
    "NAME": "PER PERSON PERSONNAME FIRSTNAME MIDDLENAME LASTNAME SURNAME FULLNAME GIVENNAME GIVENNAME1 GIVENNAME2 LASTNAME1 "
    "LASTNAME2 LASTNAME3",
    "EMAIL": "EMAILADDRESS MAIL",
    "PHONE": "PHONENUMBER TELEPHONENUM TEL PHONEIMEI FAX FAXNUMBER",
    "ADDRESS": "STREETADDRESS STREET BUILDINGNUMBER BUILDINGNUM BUILDING SECONDARYADDRESS SECADDRESS ZIPCODE POSTCODE CITY "
    "STATE COUNTY",
    "ID": "SSN SOCIALNUM SOCIALNUMBER IDCARD IDCARDNUM NATIONALID PASSPORT PASSPORTNUM DRIVERLICENSE DRIVERLICENSENUM TAXNUM "
    "TAXID",
    "CREDIT_CARD": "CREDITCARDNUMBER CARDNUMBER",
    "IBAN": "ACCOUNTIBAN",
    "DOB": "DATEOFBIRTH BIRTHDATE BOD",
    "IP": "IPV4 IPV6 IPADDRESS",
    "URL": "WEBSITE LINK",
    "USERNAME": "USER LOGIN DISPLAYNAME",
    "PASSWORD": "PASS SECRET",
}
# Named in such sets, and not what this tagger looks for.
OTHERS = (
    "ORG LOC MISC GPE PREFIX SUFFIX TITLE AGE GENDER SEX HEIGHT EYECOLOR JOBTITLE JOBAREA JOBTYPE COMPANYNAME COUNTRY DATE "
    "TIME AMOUNT CURRENCY CURRENCYCODE CURRENCYNAME CURRENCYSYMBOL ACCOUNTNAME ACCOUNTNUMBER BIC MASKEDNUMBER CREDITCARDISSUER "
    "CREDITCARDCVV PIN BITCOINADDRESS ETHEREUMADDRESS LITECOINADDRESS MAC USERAGENT VEHICLEVIN VEHICLEVRM NEARBYGPSCOORDINATE "
    "GEOCOORD ORDINALDIRECTION CARDISSUER"
)
TABLE: dict[str, str | None] = {
    **dict.fromkeys(OTHERS.split()),
    **{other: kind for kind, others in LABELS.items() for other in (*others.split(), kind.replace("_", ""))},
}
JOINS = {"NAME": " ", "ADDRESS": " ,\n"}  # parts of one entity, marked one by one, may stand this far apart
FAR = 2


def kind_of(label: str, where: str, ignored: tuple[str, ...]) -> str | None:
    """Our kind for somebody's label; None for what is not looked for. Raises DataError for a label in no table, because one
    that is left out in silence is private data called public."""
    plain = "".join(sign for sign in label.upper() if sign.isalnum())
    if label in ignored:
        return None
    if plain not in TABLE:
        guess = nearest(plain, TABLE)
        raise DataError(f"{where}: unknown label {label!r}{guess}; to leave it out: --set corpus.ignored={label}")
    return TABLE[plain]


def joined(text: str, spans: list[Span], where: str) -> tuple[Span, ...]:
    """In order, with neighbouring parts of a name or an address made one. Raises DataError where two overlap."""
    found: list[Span] = []
    for span in sorted(spans):
        last = found[-1] if found else None
        if last and span.start < last.end:
            raise DataError(f"{where}: {last.kind} {last[:2]} and {span.kind} {span[:2]} overlap")
        between = text[last.end : span.start] if last else ""
        beside = 0 < len(between) <= FAR and set(between) <= set(JOINS.get(span.kind, ""))
        if last and last.kind == span.kind and beside:
            found[-1] = last._replace(end=span.end)
        else:
            found.append(span)
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class LabelledFiles(TaggedCorpus):
    """A slot for marked texts in files.

    path: a file, whose texts are dealt out by a hash of each (8 of 10 to train, 1 to development, 1 to test; the same text
    twice lands in one part), or a folder with files that begin with ``train``, ``dev`` or ``valid``, and ``test``. ignored:
    labels to leave out.
    """

    abstract: ClassVar[bool] = True
    endings: ClassVar[tuple[str, ...]]

    path: str
    ignored: tuple[str, ...] = ()

    def read(self, path: Path) -> Iterator[Example]:
        """The examples of a file. Raises DataError with file, line and what is wrong."""
        raise NotImplementedError

    def build(self) -> TaggedTexts:
        path = Path(self.path).expanduser()
        if not path.exists():
            near = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
            raise DataError(f"no marked texts at {self.path!r}{nearest(path.name, near)}")
        parts: dict[str, list[Example]] = {split: [] for split in SPLITS}
        if path.is_dir():
            for file in sorted(file for file in path.iterdir() if file.suffix in self.endings):
                if split := _named(file.name):
                    parts[split] += self.read(file)
        else:
            for example in self.read(path):
                place = hashlib.blake2b(example.text.encode("utf-8", "surrogatepass"), digest_size=4).digest()[0] % 10
                parts[SPLITS[max(0, place - 7)]].append(example)
        return ListedTexts(parts)


def _named(name: str) -> str | None:
    starts = {"train": "train", "dev": "development", "valid": "development", "test": "test"}
    return next((split for start, split in starts.items() if name.lower().startswith(start)), None)


@dataclass(frozen=True, kw_only=True)
class ColumnFiles(LabelledFiles):
    """CoNLL's form: a token and its BIO tag on each line (the first column and the last), an empty line after each sentence.
    The text is the tokens with one space between them. Tjong Kim Sang and De Meulder, 2003."""

    endings: ClassVar[tuple[str, ...]] = (".conll", ".conllu", ".bio", ".iob", ".iob2", ".tsv", ".txt")

    def read(self, path: Path) -> Iterator[Example]:
        tokens: list[tuple[str, str, int]] = []
        for number, line in enumerate([*_lines(path), ""], 1):
            columns = line.split("\t") if "\t" in line else line.split()
            if not line.strip() or line.startswith("-DOCSTART-"):
                if tokens:
                    yield self._sentence(path, tokens)
                tokens = []
            elif len(columns) < 2:
                raise DataError(f"{path}:{number}: {line[:40]!r} has one column; wanted are a token and its tag")
            else:
                tokens.append((columns[0].strip(), columns[-1].strip(), number))

    def _sentence(self, path: Path, tokens: list[tuple[str, str, int]]) -> Example:
        text, spans, last = "", [], None
        for token, tag, number in tokens:
            where = f"{path}:{number}"
            place, dash, label = tag.partition("-")
            if tag != "O" and (place not in ("B", "I") or not dash or not label):
                raise DataError(f"{where}: {tag!r} is no BIO tag; allowed are O, B-LABEL and I-LABEL")
            kind = None if tag == "O" else kind_of(label, where, self.ignored)
            start = len(text) + bool(text)
            text += f"{' ' if text else ''}{token}"
            if kind and place == "I" and last == label and spans:
                spans[-1] = spans[-1]._replace(end=len(text))
            elif kind:
                spans.append(Span(start, len(text), kind))
            last = None if tag == "O" else label
        return Example(text, joined(text, spans, f"{path}:{tokens[0][2]}"))


@dataclass(frozen=True, kw_only=True)
class MaskedLines(LabelledFiles):
    """JSON lines in the form of ai4privacy's sets: ``{"source_text": ..., "privacy_mask": [{"start", "end", "label",
    "value"}]}``, places in characters, the end exclusive. ``text`` and ``spans`` are other names for the two; the mask may be
    JSON in a string."""

    endings: ClassVar[tuple[str, ...]] = (".jsonl", ".json", ".ndjson")

    def read(self, path: Path) -> Iterator[Example]:
        for number, line in enumerate(_lines(path), 1):
            if line.strip():
                yield self._example(line, f"{path}:{number}")

    def _example(self, line: str, where: str) -> Example:
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise DataError(f"{where}: a JSON object is wanted, this is a {type(row).__name__}")
            text, masks = row.get("source_text", row.get("text")), row.get("privacy_mask", row.get("spans"))
            masks = json.loads(masks) if isinstance(masks, str) else masks
        except json.JSONDecodeError as error:
            raise DataError(f"{where}: no JSON: {error}") from None
        if not isinstance(text, str) or not isinstance(masks, list):
            missing = "source_text" if not isinstance(text, str) else "privacy_mask"
            raise DataError(f"{where}: {missing!r} is missing or of another kind (a text and a list are wanted)")
        spans = [span for mask in masks if (span := self._span(text, mask, where))]
        return Example(text, joined(text, spans, where))

    def _span(self, text: str, mask: Any, where: str) -> Span | None:
        if not isinstance(mask, dict) or not isinstance(mask.get("label"), str):
            raise DataError(f"{where}: a mask needs 'start', 'end' and 'label', this is {str(mask)[:60]}")
        start, end = mask.get("start"), mask.get("end")
        whole = isinstance(start, int) and isinstance(end, int) and not isinstance(start, bool)
        if not whole or not 0 <= start < end <= len(text):
            raise DataError(f"{where}: mask from {start!r} to {end!r}: allowed 0 to {len(text)}, start before end")
        if mask.get("value", text[start:end]) != text[start:end]:
            raise DataError(f"{where}: mask says {mask['value']!r}, the text has {text[start:end]!r} there")
        kind = kind_of(mask["label"], where, self.ignored)
        return Span(start, end, kind) if kind else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: no UTF-8 at byte {error.start}") from None


def tagged_corpus_from(name: str) -> TaggedCorpus:
    """What ``--data`` names: ``templates``, a column file, a JSON lines file, or a folder of either."""
    if name == "templates":
        return Templates()
    path = Path(name).expanduser()
    endings = {path.suffix}
    if path.is_dir():
        endings = {file.suffix for file in path.iterdir() if _named(file.name)}
    for kind in (MaskedLines, ColumnFiles):
        if endings & set(kind.endings):
            return kind(path=name)
    allowed = ", ".join((*ColumnFiles.endings, *MaskedLines.endings))
    guess = "; did you mean 'templates'?" if difflib.get_close_matches(name, ["templates"]) else ""
    raise DataError(
        f"--data {name!r}: allowed are 'templates', a file that ends in {allowed}, or a folder of them{guess}"
    )
