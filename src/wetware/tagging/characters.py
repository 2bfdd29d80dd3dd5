"""Characters as a tagger's tokens: private data is a matter of spelling, so nothing is merged and every digit stands alone."""

from __future__ import annotations

import numpy as np

ALONE = 0x180  # code points below this, Latin with its accents, have a token each
BUCKETS = 127  # all others share these, by a hash
PAD = ALONE + BUCKETS  # stands where there is no text
TOKENS = PAD + 1


def encode(text: str) -> np.ndarray:
    """A token for each character, [characters]; also for the lone surrogates that stand for bytes that are no UTF-8."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
    hashed = (codes * 2654435761 % 2**32 >> 12) % BUCKETS  # Knuth's multiplicative hash
    return np.where(codes < ALONE, codes, ALONE + hashed)
