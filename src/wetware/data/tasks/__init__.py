"""Memory tasks: seeded generators of short texts whose every answer follows the ask mark ``=``, one task a file."""

from wetware.data.tasks.associative_recall import AssociativeRecall
from wetware.data.tasks.copying import Copying
from wetware.data.tasks.needle import Needle
from wetware.data.tasks.task import MARK, Example, Task
from wetware.data.tasks.variable_binding import VariableBinding

__all__ = ["MARK", "AssociativeRecall", "Copying", "Example", "Needle", "Task", "VariableBinding"]
