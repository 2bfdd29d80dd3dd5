"""Conversations: how many answers are right, of each kind."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import islice
from statistics import fmean
from typing import Any, ClassVar, NamedTuple

import torch

from wetware.config import number
from wetware.data import TemplateConversations, Tokenizer
from wetware.data.conversations import END, Turn, asked, said, speaks
from wetware.data.template_conversations import Exchange
from wetware.evaluation.measure import Measure, Progress, Subject, Table
from wetware.evaluation.shares import wilson
from wetware.models.generation import Sampling, Session
from wetware.training import AssistantTurns, held_out_loss

LONGEST = 32  # tokens of a reply


class Question(NamedTuple):
    """An exchange, and the tokens that are read before its reply: what was said before, with the right answers."""

    exchange: Exchange
    tokens: list[int]


@dataclass(frozen=True, kw_only=True)
class ConversationAnswers(Measure):
    """The replies to every question of conversations, by kind: a reply is right when it ends with the answer.

    Each is the likeliest reply after the conversation up to the question, in which the answers before it are the right ones.
    Asked twice: of held-out conversations, whose names, sums, greetings and sentences training never saw, with the Wilson 95 %
    interval and the share that is right when one always says the commonest answer of that kind; and of new conversations
    (another seed) made of what training did see. And bits per byte of all that the assistant says, when the run learned from
    conversations.

    conversations: so many are held of both.
    """

    title: ClassVar[str] = "Conversations: right answers by kind"
    weight: ClassVar[float] = 20.0

    conversations: int = number(200, 1, 1_000_000)

    def quickly(self) -> ConversationAnswers:
        return replace(self, conversations=min(self.conversations, 50))

    def refusal(self, subject: Subject) -> str | None:
        if speaks(subject.tokenizer.specials):
            return None
        return "its tokenizer does not know <|user|>, <|assistant|> and <|end|>: it was not trained on conversations"

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        corpus = subject.corpus if isinstance(subject.corpus, TemplateConversations) else TemplateConversations()
        other = replace(corpus, seed=corpus.seed + 1)
        held_out, known = (
            [question for talk in islice(talks, self.conversations) for question in _questions(talk, subject.tokenizer)]
            for talks in (corpus.conversations("validation"), other.conversations("train"))
        )
        questions = [*held_out, *known]
        right = _answered(subject, questions, progress)
        figures: dict[str, Any] = {"kinds": {}, "conversations": self.conversations}
        for kind in sorted({question.exchange.kind for question in held_out}):
            every = [index for index, question in enumerate(questions) if question.exchange.kind == kind]
            here = [index for index in every if index < len(held_out)]
            seen = [right[index] for index in every[len(here) :]]
            correct = sum(right[index] for index in here)
            low, high = wilson(correct, len(here))
            commonest = Counter(questions[index].exchange.answer for index in here).most_common(1)[0][1]
            figures["kinds"][kind] = {
                "asked": len(here),
                "right": correct,
                "share": correct / len(here),
                "low": low,
                "high": high,
                "commonest": commonest / len(here),
                "known_asked": len(seen),
                "known_share": sum(seen) / max(len(seen), 1),
            }
        if speaks(subject.corpus.specials):
            sizes, rule = subject.tokenizer.token_bytes, AssistantTurns().rule(subject.tokenizer)
            score = held_out_loss(subject.model, subject.held_out, sizes, limit=subject.limit, rule=rule)
            figures |= {"bits_per_byte": score.bits_per_byte, "bytes": score.bytes}
        return figures

    def table(self, figures: dict[str, Any]) -> Table:
        rows = tuple(
            (
                kind,
                f"{row['share']:.1%}",
                f"{row['low']:.1%} - {row['high']:.1%}",
                f"{row['commonest']:.1%}",
                f"{row['asked']:,}",
                f"{row['known_share']:.1%}",
            )
            for kind, row in figures["kinds"].items()
        )
        note = ""
        if "bits_per_byte" in figures:
            note = (
                f"{figures['bits_per_byte']:.4f} bits per byte of {figures['bytes']:,} bytes that the assistant says."
            )
        return Table(("kind", "right", "95 %", "commonest answer", "asked", "right of what was seen"), rows, note)

    def side_by_side(self, figures: dict[str, list[dict[str, Any]]]) -> Table:
        kinds = list(next(iter(figures.values()))[0]["kinds"])
        rows = tuple(
            (name, *(f"{fmean(run['kinds'][kind]['share'] for run in runs):.1%}" for kind in kinds))
            for name, runs in figures.items()
        )
        note = "Right answers to held-out conversations, by kind; means over runs, of arms that know conversations."
        return Table(("arm", *kinds), rows, note)


def _questions(talk: list[Exchange], tokenizer: Tokenizer) -> list[Question]:
    questions, before = [], ""
    for exchange in talk:
        text = before + asked(exchange.user)
        questions.append(Question(exchange, [tokenizer.boundary, *tokenizer.encode_special(text)]))
        before += said(Turn("user", exchange.user)) + said(Turn("assistant", exchange.assistant))
    return questions


def _answered(subject: Subject, questions: list[Question], progress: Progress, rows: int = 64) -> list[bool]:
    """Whether each is answered right. Those of one length are read side by side."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for index, question in enumerate(questions):
        by_length[len(question.tokens)].append(index)
    right, done, end = [False] * len(questions), 0, subject.tokenizer.specials[END]
    for alike in by_length.values():
        for group in (alike[start : start + rows] for start in range(0, len(alike), rows)):
            session = Session(subject.model, Sampling(temperature=0.0), 0, batch=len(group))
            session.read(torch.tensor([questions[index].tokens for index in group]))
            for index, reply in zip(group, session.tokens(LONGEST).tolist(), strict=True):
                reply = reply[: reply.index(end)] if end in reply else reply
                right[index] = questions[index].exchange.right(subject.tokenizer.decode(reply))
            done += len(group)
            progress(done / len(questions))
    return right
