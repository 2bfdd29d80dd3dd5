"""The compiled half of :mod:`wetware.data.longest_match`: a trie in two flat arrays, and the walk over it.

The trie is a double array (Aoe, 1989): state s has a child for byte b if slot ``base[s] ^ b`` is marked as owned by s, and
that slot is the child. A step is so one load for the slot and one for the token that ends there.
"""

from __future__ import annotations

import numpy as np

from wetware.kernels.compiled.jit import jit

OWNER = 32
"""Slots are one number each: who owns it (its parent, from bit 32 up), and its own base below."""


@jit
def _fitting(slots, labels, count, first):
    """The first base, from free slot ``first`` on, under which the slots of all ``labels`` are free."""
    place = first
    while True:
        if place >= slots.size:
            return -1
        if slots[place] < 0:
            base = place ^ labels[0]
            fits = True
            for index in range(1, count):
                if slots[base ^ labels[index]] >= 0:
                    fits = False
                    break
            if fits:
                return base
        place += 1


@jit
def fill(flat, ends, ids, slots, tokens):
    """Lay out the trie of pieces that are sorted and all different, breadth first.

    flat: uint8, the pieces joined; ends: int64, where each ends in it. ids: int32, their tokens. slots: int64 and tokens:
    int32, of one size (a multiple of 256, so that no byte leads outside), filled here; a slot without a state is -1. Gives
    the number of slots in use, or -1 when there are too few.
    """
    slots[:] = -1
    tokens[:] = -1
    count = ends.size
    queue = np.empty((flat.size + 1, 4), np.int64)  # of a state: its slot, first piece below it, end of those, depth
    queue[0] = (0, 0, count, 0)
    slots[0] = np.int64(slots.size) << OWNER  # the root is nobody's child
    head, tail, free, used = 0, 1, 1, 1
    labels = np.empty(256, np.int64)
    firsts = np.empty(257, np.int64)
    while head < tail:
        state, low, high, depth = queue[head]
        head += 1
        start = ends[low - 1] if low > 0 else 0
        if ends[low] - start == depth:
            tokens[state] = ids[low]
            low += 1
        found = 0
        previous = -1
        for piece in range(low, high):
            label = np.int64(flat[(ends[piece - 1] if piece > 0 else 0) + depth])
            if label != previous:
                labels[found], firsts[found] = label, piece
                found += 1
                previous = label
        if found == 0:
            continue
        firsts[found] = high
        while free < slots.size and slots[free] >= 0:
            free += 1
        base = _fitting(slots, labels, found, free)
        if base < 0:
            return -1
        slots[state] |= base
        for index in range(found):
            child = base ^ labels[index]
            slots[child] = state << OWNER
            used = max(used, child + 1)
            queue[tail] = (child, firsts[index], firsts[index + 1], depth + 1)
            tail += 1
    return used


@jit
def cut(data, ends, slots, tokens, out, counts):
    """Greedy longest match of each text. data: uint8, the texts joined; ends: int64, where each ends. Writes the tokens of all
    into ``out``, and how many each text has into ``counts``; gives their sum."""
    total = 0
    start = 0
    for text in range(ends.size):
        end = ends[text]
        before = total
        while start < end:
            state = np.int64(0)
            place = start
            best, after = np.int32(-1), start
            while place < end:
                child = (slots[state] & 0xFFFFFFFF) ^ np.int64(data[place])
                if slots[child] >> OWNER != state:
                    break
                state = child
                place += 1
                if tokens[state] >= 0:
                    best, after = tokens[state], place
            out[total] = best
            total += 1
            start = after
        counts[text] = total - before
    return total
