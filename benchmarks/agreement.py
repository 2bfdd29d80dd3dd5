"""Do the compiled engine and the eager loop write the same text?

Both read one prompt and write on, token by token, with the same dice. They add in another order, so a number may come out
different in its last bits. What follows from that is a tie: two tokens whose scores are all but equal, or a membrane all but at
its threshold, which one fires and the other does not. Each sequence is compared up to its first such parting, which is held
against how near the tie was; behind it the two are different texts. What is no tie is a fault.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import torch
from torch import Tensor

from matching import eager, layers
from wetware.models.dice import Dice
from wetware.models.engines import engines
from wetware.models.generation import Sampling, Session
from wetware.neurons import NeuronParams

SCORES, MEMBRANES = 1e-4, 1e-5  # how near a tie must be


class Agreement(NamedTuple):
    """What was found: ``equal`` of ``compared`` tokens, up to where sequences parted, and why they did. Of the eager loop,
    while it wrote: the ``firing`` rate of each layer, and ``top``, the mean probability of the likeliest token."""

    equal: int
    compared: int
    ties: tuple[str, ...]
    faults: tuple[str, ...]
    firing: tuple[float, ...]
    top: float


class Comparison:
    """Which of B sequences are still together."""

    def __init__(self, model: Any, batch: int) -> None:
        self.model, self.together = model, torch.ones(batch, dtype=torch.bool)
        self.equal = self.compared = 0
        self.ties: list[str] = []
        self.faults: list[str] = []

    def part(self, row: int, distance: float, allowed: float, what: str) -> None:
        if self.together[row]:
            self.together[row] = False
            kind = self.ties if distance <= allowed else self.faults
            kind.append(f"sequence {row}, {what}: {distance:.1e} apart")

    def spikes(self, ours: Any, plain: Any, where: str) -> None:
        for row, distance in flips(self.model, ours, plain).items():
            self.part(row, distance, MEMBRANES, f"{where}, a membrane at its threshold")

    def tokens(self, ours: Tensor, plain: Tensor) -> list[int]:
        """Count; gives the sequences that have parted at this token."""
        same = ours == plain
        self.compared += int(self.together.sum())
        self.equal += int((same & self.together).sum())
        return (~same & self.together).nonzero().flatten().tolist()


def compare(model: Any, prompt: Tensor, sampling: Sampling, count: int, seed: int = 1) -> Agreement:
    """Write ``count`` tokens after each row of ``prompt`` [B, T] in both ways. Raises Refused when the model cannot have the
    compiled engine."""
    batch, rates, tops = len(prompt), [], []
    with engines.using("numba"):
        ours = Session(model, sampling, seed, batch=batch)
    with engines.using("reference"), eager():
        plain = Session(model, sampling, seed, batch=batch)
        found = Comparison(model, batch)
        for token in prompt.split(1, 1):
            ours.read(token)
            plain.read(token)
            found.spikes(ours.state, plain.state, "prompt")
        for turn in range(count):
            dice, scores = copy.copy(plain.dice), (ours.logits.clone(), plain.logits)
            rates.append([layer.spikes.mean().item() for layer in layers(plain.state)])
            tops.append(scores[1].softmax(-1).amax(-1).mean().item())
            chosen = [session.tokens(1)[:, 0] for session in (ours, plain)]
            for row in found.tokens(*chosen):
                apart = distance(scores, chosen, sampling, dice, row)
                found.part(row, apart, SCORES, f"token {turn}, two scores")
            found.spikes(ours.state, plain.state, f"token {turn}")
    firing = tuple(sum(block) / count for block in zip(*rates, strict=True))
    return Agreement(
        found.equal, found.compared, tuple(found.ties), tuple(found.faults), firing, sum(tops) / max(count, 1)
    )


def flips(model: Any, ours: Any, plain: Any) -> dict[int, float]:
    """``{sequence: distance}`` where spikes of the last token differ: how far from threshold the neurons were, in the first
    layer that shows it, for later layers follow it."""
    found: dict[int, float] = {}
    states = zip(layers(model), model.neuron_params(), layers(ours), layers(plain), strict=True)
    for layer, params, mine, its in states:
        differ = mine.spikes != its.spikes
        for row in differ.any(1).nonzero().flatten().tolist():
            if row not in found:
                above = torch.stack([excess(layer, params, state)[row][differ[row]] for state in (mine, its)])
                found[row] = above.abs().max().item()
    return found


@torch.no_grad()
def excess(layer: Any, params: NeuronParams, state: Any) -> Tensor:
    """[B, N]: how far the membrane was above threshold before its reset."""
    bound = layer.neuron.config.reset.bound
    membrane = bound * torch.atanh(state.membrane.double() / bound) if bound else state.membrane
    return membrane + params.threshold * state.spikes - params.threshold


def distance(logits: tuple[Tensor, Tensor], chosen: list[Tensor], sampling: Sampling, dice: Dice, row: int) -> float:
    """How near each was to choosing what the other chose, in scores, at the nearer of the two."""
    noise = dice.noise(*logits[0].shape)[row]
    mine, its = (int(tokens[row]) for tokens in chosen)
    return min(lead(logits[0][row], noise, sampling, mine, its), lead(logits[1][row], noise, sampling, its, mine))


def lead(logits: Tensor, noise: Tensor, sampling: Sampling, winner: int, other: int) -> float:
    """By how much ``other`` missed being chosen in place of ``winner``; where top-k left it out, how far below the last of the
    k it was."""
    if sampling.temperature == 0:
        return (logits[winner] - logits[other]).item()
    scaled = logits.double() / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < len(scaled):
        least = scaled.topk(sampling.top_k).values[-1]
        if scaled[other] < least:
            return (least - scaled[other]).item()
    return (scaled[winner] + noise[winner] - scaled[other] - noise[other]).item()
