"""Studies: questions with their answers' price. ``wetware study NAME`` asks one."""

from __future__ import annotations

from wetware.evaluation.study import Study
from wetware.recipes.real_sam import real_sam_mini


def real_sam_mechanisms() -> Study:
    """Which mechanism of Real Sam helps: each taken out of the whole, and each put alone into the bare skeleton."""
    return Study(
        run=real_sam_mini(),
        question="Which mechanism of Real Sam lowers the held-out bits per byte, at equal tokens and matched parameters?",
        add=("all",),
    )
