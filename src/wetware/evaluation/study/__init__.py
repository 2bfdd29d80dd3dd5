"""Studies: which mechanism helps, by how much, at what cost, and how sure that is."""

from wetware.evaluation.study.arms import Arm, Change, Study
from wetware.evaluation.study.plan import Plan, draw_up
from wetware.evaluation.study.store import Cell, Store
from wetware.evaluation.study.worker import Worker

__all__ = ["Arm", "Cell", "Change", "Plan", "Store", "Study", "Worker", "draw_up"]
