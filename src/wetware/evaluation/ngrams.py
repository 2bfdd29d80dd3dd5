"""Reference lines: n-gram models over the same tokens, trained on the same text as the model beside them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from wetware.data import Packed


class Reference(NamedTuple):
    """A model that only counts, scored on held-out text."""

    name: str
    bits_per_byte: float
    perplexity: float


def references(train: Packed, held_out: Packed, token_bytes: np.ndarray, boundary: int = 0) -> tuple[Reference, ...]:
    """Token unigram and Witten-Bell bigram on the whole held-out text; boundaries are context, never counted.

    Unigram: ``(count + 1) / (N + V)``. Bigram (Witten and Bell, 1991)::

        p(w | h) = (count(h, w) + distinct(h) * unigram(w)) / (count(h) + distinct(h))
    """
    vocab = len(token_bytes)
    known, text = train.tokens(0, len(train)), held_out.tokens(0, len(held_out))
    counts = np.bincount(known, minlength=vocab)
    unigram = (counts + 1.0) / (counts.sum() + vocab)
    pairs, pair_counts = np.unique(known[:-1] * vocab + known[1:], return_counts=True)
    heads = pairs // vocab
    totals = np.bincount(heads, weights=pair_counts, minlength=vocab)
    distinct = np.bincount(heads, minlength=vocab)
    before, after = text[:-1], text[1:]
    counted = after != boundary
    before, after = before[counted], after[counted]
    wanted = before * vocab + after
    place = np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)
    seen = np.where(pairs[place] == wanted, pair_counts[place], 0)
    weight = np.maximum(totals[before] + distinct[before], 1)
    bigram = (seen + distinct[before] * unigram[after]) / weight
    bigram = np.where(distinct[before] == 0, unigram[after], bigram)
    size = int(token_bytes[after].sum())
    return tuple(
        Reference(name, float(nats.sum() / (math.log(2) * size)), float(np.exp(nats.mean())))
        for name, nats in (("token unigram", -np.log(unigram[after])), ("Witten-Bell bigram", -np.log(bigram)))
    )
