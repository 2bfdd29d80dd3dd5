"""Studies: which mechanism helps, by how much, at what cost, and how sure that is.

``arms`` makes what is trained out of a model, ``plan`` writes it down before anything is known, ``store`` holds the cells,
``worker`` trains them, ``results`` judges them, ``report`` tells people.
"""

from wetware.evaluation.study.arms import Arm, Change, Study
from wetware.evaluation.study.plan import Plan, draw_up

__all__ = ["Arm", "Change", "Plan", "Study", "draw_up"]
