"""Decoding: from scores to tags that may follow each other. I of a kind stands only after B or I of that kind."""

from __future__ import annotations

import numpy as np

from wetware.tagging.entities import TAGS

OUTSIDE = 0
_ALL = np.arange(len(TAGS))
INSIDE = _ALL[2::2]  # the tags I-X; each has its B-X just before it
LEGAL = np.zeros((len(TAGS), len(TAGS)))
"""What is added to the score of a tag (column) after another (row): 0 where that is allowed, else -inf."""
LEGAL[:, INSIDE] = -np.inf
LEGAL[INSIDE, INSIDE] = LEGAL[INSIDE - 1, INSIDE] = 0.0


def viterbi(scores: np.ndarray, moves: np.ndarray = LEGAL) -> np.ndarray:
    """The sequence of tags with the largest sum of scores and moves (Viterbi, 1967). Before the first tag stands O.

    Args:
        scores: [T, tags], log-probabilities or logits.
        moves: [tags, tags], what is added for a tag after another.

    Returns:
        The tags, [T].
    """
    steps = len(scores)
    came_from = np.zeros((steps, len(TAGS)), np.int64)
    best = np.where(_ALL == OUTSIDE, 0.0, -np.inf)
    for step in range(steps):
        best, came_from[step] = _onward(best, scores[step], moves)
    tags = np.zeros(steps, np.int64)
    if steps:
        tags[-1] = best.argmax()
    for step in range(steps - 1, 0, -1):
        tags[step - 1] = came_from[step, tags[step]]
    return tags


def _onward(best: np.ndarray, scores: np.ndarray, moves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best sums that end with each tag after one more step, and the tag before it on each of these ways."""
    sums = best[:, None] + moves
    before = sums.argmax(0)
    return sums[before, _ALL] + scores, before


class FixedLag:
    """:func:`viterbi` of a stream, which knows no end: each tag is decided ``wait`` tags later, by the best way so far, and
    ways that say otherwise are given up. ``wait = 0`` takes the best that may follow the last; the longer it is, the closer
    to the best of all."""

    def __init__(self, moves: np.ndarray = LEGAL, wait: int = 0) -> None:
        self.moves, self.wait = moves, wait
        self._best = np.where(_ALL == OUTSIDE, 0.0, -np.inf)
        self._ways = np.zeros((len(TAGS), 0), np.int64)  # the undecided tags of the best way to each tag

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """scores: [T, tags]. Gives the tags that are decided now, in order."""
        decided = []
        for step in scores:
            best, before = _onward(self._best, step, self.moves)
            self._best = best - best.max()
            self._ways = np.concatenate([self._ways[before], _ALL[:, None]], 1)
            if self._ways.shape[1] > self.wait:
                tag = self._ways[self._best.argmax(), 0]
                self._best[self._ways[:, 0] != tag] = -np.inf
                self._ways = self._ways[:, 1:]
                decided.append(tag)
        return np.array(decided, np.int64)

    def finish(self) -> np.ndarray:
        """The tags that are left, when nothing more comes."""
        left = self._ways[self._best.argmax()]
        self._ways = self._ways[:, :0]
        return left
