"""Real Sam with a curriculum, and what is left of it without one half or the other: the model and the phases are the same."""

from __future__ import annotations

from dataclasses import replace

from wetware.config import with_
from wetware.data import WholeText
from wetware.recipes.mini import real_sam_mini
from wetware.training import Curriculum, Phase, Run

LENGTH = 64


def real_sam_curriculum() -> Run:
    """real_sam_mini from words to conversations: five phases, each with its own text and length, that change by themselves."""
    return _run(lambda phase: phase)


def real_sam_curriculum_length_only() -> Run:
    """The curriculum's growing lengths on whole text: nothing is cut before the conversations."""
    return _run(_whole)


def real_sam_curriculum_data_only() -> Run:
    """The curriculum's texts in its order, at a constant length of 64 tokens."""
    return _run(_long)


def real_sam_curriculum_constant() -> Run:
    """Constant length and whole text before the conversations: what phases, replay and re-warming do alone."""
    return _run(lambda phase: _whole(_long(phase)))


def _whole(phase: Phase) -> Phase:
    return phase if phase == Curriculum().phases[-1] else replace(phase, text=WholeText())


def _long(phase: Phase) -> Phase:
    return replace(phase, chunk=LENGTH)


def _run(change) -> Run:
    phases = tuple(change(phase) for phase in Curriculum().phases)
    return with_(real_sam_mini(), "training.curriculum", Curriculum(phases=phases))
