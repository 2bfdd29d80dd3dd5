"""Decoding: from scores to tags that may follow each other. I of a kind stands only after B or I of that kind."""

from __future__ import annotations

import numpy as np

from wetware.tagging.entities import TAGS

INSIDE = np.arange(2, len(TAGS), 2)  # the tags I-X; each has its B-X just before it
FREE = np.array([0, *range(1, len(TAGS), 2)])  # O and B-X, which may follow anything


def viterbi(scores: np.ndarray) -> np.ndarray:
    """The legal sequence of tags with the largest sum of scores (Viterbi, 1967).

    Because only I-X asks what stood before it, a step costs as much as there are tags, not their square.

    Args:
        scores: [T, tags], log-probabilities or logits.

    Returns:
        The tags, [T].
    """
    steps = len(scores)
    came_from = np.zeros((steps, len(TAGS)), np.int64)
    best = np.full(len(TAGS), -np.inf)
    if steps:
        best[FREE] = scores[0, FREE]
    for step in range(1, steps):
        any_tag = int(best.argmax())
        came_from[step, FREE] = any_tag
        begun = best[INSIDE - 1] > best[INSIDE]
        came_from[step, INSIDE] = INSIDE - begun
        before = np.empty_like(best)
        before[FREE] = best[any_tag]
        before[INSIDE] = np.where(begun, best[INSIDE - 1], best[INSIDE])
        best = before + scores[step]
    tags = np.zeros(steps, np.int64)
    if steps:
        tags[-1] = best.argmax()
    for step in range(steps - 1, 0, -1):
        tags[step - 1] = came_from[step, tags[step]]
    return tags


class Greedy:
    """One tag after the other: the best of those that may follow the last. What a stream can do, which knows no end."""

    def __init__(self) -> None:
        self.last = 0

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """scores: [T, tags]. Gives the tags, [T], and remembers the last."""
        order = scores.argmax(1)
        tags = np.empty(len(scores), np.int64)
        for step, best in enumerate(order):
            if not self._may_follow(int(best)):
                masked = scores[step].copy()
                masked[[tag for tag in INSIDE if not self._may_follow(int(tag))]] = -np.inf
                best = masked.argmax()
            tags[step] = self.last = int(best)
        return tags

    def _may_follow(self, tag: int) -> bool:
        return tag == 0 or tag % 2 == 1 or self.last in (tag - 1, tag)
