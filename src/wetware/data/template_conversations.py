"""Conversations made of templates: small talk, names, sums and questions about a text, so that one can train a model to talk
without a network. Every answer can be checked: by arithmetic, by what was said before, or by a sentence of the text."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from itertools import chain
from random import Random
from typing import Any, ClassVar, NamedTuple

from wetware.config import Config, ConfigError, number
from wetware.data.conversations import SPECIALS, Conversation, Turn
from wetware.data.corpora import Corpus, Sotu, Split, check_split, rank
from wetware.data.files import DataError, digest

HELD_OUT = 0.1  # share of sums and greetings that training never sees
TRIES = 2000
READ = 50_000  # characters of each document in which sentences are looked for
FORMAT = 1  # raised when the same fields come to give other conversations

_FIRST_NAMES = """
Aaron Abigail Adam Agnes Alan Albert Alice Amanda Amy Andrea Andrew Angela Anna Anthony Arthur Barbara Benjamin
Bernard Beth Bill Brandon Brenda Brian Bruce Carl Carla Carol Caroline Catherine Charles Charlotte Chloe Christine
Clara Claire Colin Craig Daisy Daniel David Deborah Dennis Diana Donald Dora Dorothy Douglas Edgar Edith Edward
Eleanor Elena Elizabeth Ella Emily Emma Eric Esther Ethan Eva Evelyn Felix Fiona Frances Frank Frederick Gary George
Gerald Gloria Grace Gregory Hannah Harold Harry Heather Helen Henry Hugo Ian Ida Irene Isaac Isabel Ivan Jack Jacob
James Jane Janet Jason Jean Jennifer Jessica Joan Joel John Jonathan Joseph Joshua Joyce Judith Julia Julian Karen
Karl Kate Keith Kelly Kenneth Kevin Kim Kyle Larry Laura Lauren Leah Leo Leonard Lewis Liam Lily Linda Lisa Louis
Louise Lucy Luke Lydia Marcus Margaret Maria Marion Mark Martha Martin Mary Matthew Maud Max Megan Melissa Michael
Michelle Miles Molly Monica Nancy Naomi Natalie Nathan Neil Nicholas Nicole Nina Noah Nora Norman Olga Oliver Olivia
Oscar Pamela Patricia Patrick Paul Paula Peter Philip Rachel Ralph Raymond Rebecca Richard Rita Robert Robin Roger
Ronald Rosa Rose Roy Russell Ruth Ryan Sally Samuel Sandra Sarah Scott Sean Sharon Simon Sophia Stella Stephen Steven
Susan Sylvia Teresa Theodore Theresa Thomas Timothy Tina Tom Vera Victor Victoria Vincent Violet Virginia Walter Wendy
William Zoe
"""
NAMES = tuple(_FIRST_NAMES.split())

# What is answered to how it begins.
GREETINGS = {
    "Hello": "Hello! How can I help you?",
    "Hi": "Hello! How can I help you?",
    "Greetings": "Greetings to you!",
    "Good morning": "Good morning! What would you like to know?",
    "Good afternoon": "Good afternoon! What would you like to know?",
    "Good evening": "Good evening! What would you like to know?",
    "How are you": "I am well, thank you.",
    "How do you do": "I am well, thank you.",
    "Thank you": "You are welcome.",
    "Thanks": "You are welcome.",
    "Goodbye": "Goodbye! It was good to talk to you.",
    "Good night": "Good night! Sleep well.",
}
ADDRESSES = (
    "",
    " there",
    " again",
    " my friend",
    " dear friend",
    ", friend",
    ", dear machine",
    " today",
    " to you",
    " indeed",
)
TOLD = ("My name is {}.", "I am {}.", "You can call me {}.", "Hello, I am {}.", "They call me {}.", "{} is my name.")
ASKED = ("What is my name?", "Who am I?", "Do you remember my name?", "Tell me my name.", "What did I say my name was?")
SUMS = ("What is {} plus {}?", "How much is {} plus {}?", "Add {} and {}.", "{} plus {}?", "Can you add {} and {}?")

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_WORDS = re.compile(r"[A-Z][A-Za-z0-9,' -]*[a-z0-9]\.")
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_NAME = re.compile(r"(?<=[a-z,] )(?!I\b)[A-Z][a-z]{2,}(?: [A-Z][a-z]+)*")


class Exchange(NamedTuple):
    """A question and its right answer. kind: of what it is. answer: the end of every right answer."""

    kind: str
    user: str
    assistant: str
    answer: str

    def right(self, reply: str) -> bool:
        """Whether a reply ends with the answer, capitals and the marks after it aside."""
        said, wanted = (text.strip().rstrip(".!?").lower() for text in (reply, self.answer))
        return said == wanted or said.endswith(f" {wanted}")


class Source(NamedTuple):
    """What the exchanges of one split are made of.

    sentences: of the text; dated: those with exactly one year; naming: those with exactly one name.
    """

    split: Split
    dice: Random
    sentences: list[str]
    dated: list[str]
    naming: list[str]

    def value(self, draw: Callable[[Random], Any], text: Callable[[Any], str] = str) -> Any:
        """A value that belongs to this split, by a hash of its ``text``: whatever the seed, no value is in both."""
        for _ in range(TRIES):
            value = draw(self.dice)
            if (rank(text(value)) < HELD_OUT) == (self.split == "validation"):
                return value
        raise DataError(f"too few different values for two splits, as {text(value)!r}: allow more")


# ------------------------------------------------------------------------------------------------------------------ topics


@dataclasses.dataclass(frozen=True, kw_only=True)
class Topic(Config):
    """A slot for what is talked about."""

    abstract: ClassVar[bool] = True

    def exchanges(self, source: Source) -> list[Exchange]:
        """What is said about it in one conversation; others may speak of other things in between."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Greetings(Topic):
    """Good morning and thank you. The split is by the greeting and whom it addresses together."""

    def exchanges(self, source: Source) -> list[Exchange]:
        hello, address = source.value(lambda dice: (dice.choice([*GREETINGS]), dice.choice(ADDRESSES)), "".join)
        mark = "?" if hello.startswith("How") else source.dice.choice("!.")
        return [Exchange("greeting", f"{hello}{address}{mark}", GREETINGS[hello], GREETINGS[hello])]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Names(Topic):
    """The user tells a name and asks for it later; ``count`` different names, every tenth of them held out."""

    count: int = number(60, 20, len(NAMES))

    def exchanges(self, source: Source) -> list[Exchange]:
        names = [NAMES[index * len(NAMES) // self.count] for index in range(self.count)]
        held_out = source.split == "validation"
        name = source.dice.choice([name for index, name in enumerate(names) if (index % 10 == 9) == held_out])
        told, asked = source.dice.choice(TOLD).format(name), source.dice.choice(ASKED)
        return [
            Exchange("meeting", told, f"Nice to meet you, {name}.", name),
            Exchange("name", asked, f"Your name is {name}.", name),
        ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sums(Topic):
    """Sums of two numbers from 0 to ``largest``. The split is by the two numbers, whichever comes first."""

    largest: int = number(10, 4, 10_000)

    def exchanges(self, source: Source) -> list[Exchange]:
        def pair(dice: Random) -> tuple[int, int]:
            return dice.randint(0, self.largest), dice.randint(0, self.largest)

        a, b = source.value(pair, lambda pair: f"{min(pair)}+{max(pair)}")
        question = source.dice.choice(SUMS).format(a, b)
        return [Exchange("arithmetic", question, f"{a} plus {b} is {a + b}.", str(a + b))]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Questions(Topic):
    """A sentence of the text is shown and asked about: which word comes after another, which is missing, when, and whose name.

    The answer stands in the sentence, or (the missing word) in the text. The split is that of the text's documents.
    """

    def exchanges(self, source: Source) -> list[Exchange]:
        kinds = {"next word": self._after, "missing word": self._missing}
        kinds |= {"year": self._when} if source.dated else {}
        kinds |= {"named": self._who} if source.naming else {}
        kind = source.dice.choice(list(kinds))
        question, assistant, answer = kinds[kind](source)
        return [Exchange(kind, question, assistant, answer)]

    @staticmethod
    def _after(source: Source) -> tuple[str, str, str]:
        sentence = source.dice.choice(source.sentences)
        words = _words(sentence)
        once = [index for index, word in enumerate(words[:-1]) if words.count(word) == 1]
        index = source.dice.choice(once or [0])
        word, following = words[index], words[index + 1]
        return f"{sentence} Which word comes after {word}?", f"After {word} comes {following}.", following

    @staticmethod
    def _missing(source: Source) -> tuple[str, str, str]:
        sentence = source.dice.choice(source.sentences)
        words = sentence.rstrip(".").split(" ")
        index = source.dice.randrange(1, len(words))
        word = words[index].strip(",")
        words[index] = words[index].replace(word, "...")
        return f"{' '.join(words)}. Which word is missing?", f"The missing word is {word}.", word

    @staticmethod
    def _when(source: Source) -> tuple[str, str, str]:
        sentence = source.dice.choice(source.dated)
        year = _YEAR.findall(sentence)[0]
        return f"{sentence} Which year is that?", f"That is the year {year}.", year

    @staticmethod
    def _who(source: Source) -> tuple[str, str, str]:
        sentence = source.dice.choice(source.naming)
        name = _NAME.findall(sentence)[0]
        return f"{sentence} Who or what is named there?", f"It names {name}.", name


# ------------------------------------------------------------------------------------------------------------------ corpus


@dataclasses.dataclass(frozen=True, kw_only=True)
class TemplateConversations(Corpus):
    """Conversations of one to ``longest`` exchanges about ``topics``, in the template of :mod:`.conversations`.

    ``count`` conversations are for training, ``held_out`` for validation. No name, sum or greeting is in both splits, and
    questions about the text are made of the documents that the corpus ``about`` gives to the same split. The same fields
    give the same conversations.
    """

    about: Corpus = Sotu()
    topics: tuple[Topic, ...] = (Greetings(), Names(), Sums(), Questions())
    count: int = number(20_000, 1, 10_000_000)
    held_out: int = number(500, 1, 1_000_000)
    longest: int = number(4, 1, 100)
    seed: int = number(0, 0)

    def check(self) -> None:
        if not self.topics:
            raise ConfigError("TemplateConversations.topics is empty: expected one topic or more")
        if isinstance(self.about, TemplateConversations) or self.about.specials:
            raise ConfigError("TemplateConversations.about holds conversations itself: expected plain text")

    @property
    def specials(self) -> tuple[str, ...]:
        return SPECIALS

    def documents(self, split: Split) -> Iterator[str]:
        return (conversation_of(exchanges).template for exchanges in self.conversations(split))

    def conversations(self, split: Split) -> Iterator[list[Exchange]]:
        """The conversations behind the documents, with their right answers."""
        dice = Random(f"{self.seed} {check_split(split)}")
        source = _source(self.about, split, dice)
        for _ in range(self.count if split == "train" else self.held_out):
            yield self._conversation(source)

    def fingerprint(self) -> str:
        return digest([FORMAT, {**self.to_dict(), "about": self.about.fingerprint()}])

    def _conversation(self, source: Source) -> list[Exchange]:
        """Topics drawn until the length that was drawn is reached, each at most once with a memory, and mixed."""
        wanted, parts = source.dice.randint(1, self.longest), []
        while sum(map(len, parts)) < wanted:
            topic = source.dice.choice(self.topics)
            if not (isinstance(topic, Names) and any(part[0].kind == "meeting" for part in parts)):
                parts.append(topic.exchanges(source))
            elif len(self.topics) == 1:
                break
        return _mixed(parts, source.dice)


def conversation_of(exchanges: list[Exchange]) -> Conversation:
    """What was said in them."""
    turns = ((Turn("user", each.user), Turn("assistant", each.assistant)) for each in exchanges)
    return Conversation(tuple(chain.from_iterable(turns)))


def _mixed(parts: list[list[Exchange]], dice: Random) -> list[Exchange]:
    """All of them in a random order in which every part keeps its own."""
    order = [index for index, part in enumerate(parts) for _ in part]
    dice.shuffle(order)
    left = [iter(part) for part in parts]
    return [next(left[index]) for index in order]


def _words(sentence: str) -> list[str]:
    return [word.strip(",") for word in sentence.rstrip(".").split(" ")]


def _source(about: Corpus, split: Split, dice: Random) -> Source:
    """Sentences of four to ten plain words, each of them once."""
    found = dict.fromkeys(
        sentence
        for text in about.documents(split)
        for sentence in _SENTENCE.split(text[:READ])
        if 4 <= sentence.count(" ") + 1 <= 10 and _WORDS.fullmatch(sentence) and all(_words(sentence))
    )
    if not found:
        raise DataError(
            f"the {split} split of {type(about).__name__} has no plain sentence of four to ten words to ask about"
        )
    sentences = list(found)
    dated = [sentence for sentence in sentences if len(_YEAR.findall(sentence)) == 1]
    naming = [sentence for sentence in sentences if len(_NAME.findall(sentence)) == 1]
    return Source(split, dice, sentences, dated, naming)
