"""Entities: kinds of private data, spans of characters, and the BIO tags that stand for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

KINDS = (
    "NAME",
    "EMAIL",
    "PHONE",
    "ADDRESS",
    "ID",
    "CREDIT_CARD",
    "IBAN",
    "DOB",
    "IP",
    "URL",
    "USERNAME",
    "PASSWORD",
)
"""What is private. ID: national and social-security numbers, passports. DOB: a date of birth."""

# 0 is O; kind k has B at 1 + 2 k and I at 2 + 2 k.
TAGS = ("O", *(f"{place}-{kind}" for kind in KINDS for place in "BI"))


class Span(NamedTuple):
    """An entity: characters ``start`` to ``end`` (exclusive) of a text, and its kind."""

    start: int
    end: int
    kind: str


def tags_of(length: int, spans: Iterable[Span]) -> np.ndarray:
    """Numbers of the tags of a text of ``length`` characters, [length]. The spans must not overlap."""
    tags = np.zeros(length, np.int64)
    for start, end, kind in spans:
        begin = 1 + 2 * KINDS.index(kind)
        tags[start:end] = begin + 1
        tags[start] = begin
    return tags


def spans_of(tags: Sequence[int] | np.ndarray) -> list[Span]:
    """The entities that tags stand for, in order. An I that follows neither B nor I of its kind begins an entity, as a B."""
    spans, start, kind = [], 0, -1
    for place, tag in enumerate([*tags, 0]):
        here = (tag - 1) // 2 if tag else -1
        if kind >= 0 and (here != kind or tag % 2):
            spans.append(Span(start, place, KINDS[kind]))
            kind = -1
        if kind < 0 and here >= 0:
            start, kind = place, here
    return spans
