"""Made-up examples: templates filled with made-up values."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NamedTuple

from wetware.config import ConfigError, number
from wetware.data import DataError
from wetware.tagging.entities import KINDS, Span
from wetware.tagging.examples import SPLITS, Example, TaggedCorpus, TaggedTexts
from wetware.tagging.values import Values, faker

# A placeholder that is no kind's own name stands for a form of one.
FORMS = {"FIRST": "NAME", "LAST": "NAME", "LINES": "ADDRESS", "STREET": "ADDRESS"}
CHOICE = re.compile(r"<<(.*?)>>", re.DOTALL)
PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Template(NamedTuple):
    """A text with placeholders. register: its file. language: of its words. part: which part of the examples it belongs to."""

    text: str
    register: str
    language: str
    part: str


@dataclass(frozen=True, kw_only=True)
class Templates(TaggedCorpus):
    """Examples made of templates (mails, chats, logs, forms, code and settings, tables) and Faker's values (the extra ``tag``).

    No two parts share a template: of each register, every fifth is for the test and every tenth for development. No two share a
    value either: first names, last names, streets, towns, domains, accounts and every number belong to one part by a hash of
    their letters and digits. What stays the same in all parts are formats and the hosts of free mail.

    locales: Faker's, of which each document takes one that its language allows. joined: documents put together, at most.
    held_out: how many examples development and test have, each.
    """

    locales: tuple[str, ...] = ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT")
    joined: int = number(2, 1, 100)
    held_out: int = number(600, 1)

    def check(self) -> None:
        if not self.locales:
            raise ConfigError("Templates.locales is empty: at least one is needed, such as en_US")

    def build(self) -> TaggedTexts:
        return _Filled(self)


class _Filled(TaggedTexts):
    def __init__(self, config: Templates) -> None:
        self.config = config
        for locale in config.locales:
            faker(locale)
        self.templates = {part: [made for made in templates() if made.part == part] for part in SPLITS}

    def training(self, seed: int, index: int) -> Example:
        return self._example("train", f"{seed}/{index}")

    def held_out(self, split: str) -> list[Example]:
        return [self._example(split, f"{index}") for index in range(self.config.held_out)]

    def _example(self, part: str, key: str) -> Example:
        dice = random.Random(f"{part}/{key}")
        pieces = [self._document(part, dice) for _ in range(dice.randint(1, self.config.joined))]
        between = dice.choice(("\n", "\n\n", "\n"))
        text, spans = "", []
        for piece in pieces:
            text += between if text else ""
            spans += [Span(span.start + len(text), span.end + len(text), span.kind) for span in piece.spans]
            text += piece.text
        return Example(text + dice.choice(("", "\n")), tuple(spans))

    def _document(self, part: str, dice: random.Random) -> Example:
        template = dice.choice(self.templates[part])
        own = [locale for locale in self.config.locales if locale.startswith(template.language)]
        # English is written about people from everywhere
        anywhere = template.language == "en" and dice.random() < 0.35
        locale = dice.choice(self.config.locales if anywhere or not own else own)
        return fill(template.text, Values(locale, part, dice), dice)


def fill(template: str, values: Values, dice: random.Random) -> Example:
    """Choose in each ``<<a|b|c>>``, then put a value for each ``{placeholder}``; those in capitals are private."""
    chosen = CHOICE.sub(lambda match: dice.choice(match[1].split("|")), template)
    text, spans, done = "", [], 0
    for match in PLACEHOLDER.finditer(chosen):
        text += chosen[done : match.start()]
        value, name = values.draw(match[1]), match[1]
        if name.isupper():
            spans.append(Span(len(text), len(text) + len(value), FORMS.get(name, name)))
        text, done = text + value, match.end()
    return Example(text + chosen[done:], tuple(spans))


@cache
def templates() -> tuple[Template, ...]:
    """Every template of ``templates/*.txt``; a line ``==== LANGUAGE`` stands before each. Raises DataError for a placeholder
    that nothing fills."""
    found = []
    folder = resources.files("wetware.tagging") / "templates"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        register = file.name.removesuffix(".txt")
        blocks = re.split(r"^==== (\w+)\n", file.read_text("utf-8"), flags=re.MULTILINE)[1:]
        for index, (language, text) in enumerate(zip(blocks[::2], blocks[1::2], strict=True)):
            part = "test" if index % 5 == 4 else "development" if index % 10 == 2 else "train"
            for name in PLACEHOLDER.findall(text):
                known = name in {*KINDS, *FORMS} if name.isupper() else hasattr(Values, f"_public_{name}")
                if not known:
                    raise DataError(f"{file.name}, template {index + 1}: nothing fills {{{name}}}")
            found.append(Template(text.rstrip("\n"), register, language, part))
    return tuple(found)
