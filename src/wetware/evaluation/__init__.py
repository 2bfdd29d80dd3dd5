"""Evaluation: what a trained model is worth, beside references anyone can understand."""

from wetware.evaluation.measure import Measure, Subject, Table
from wetware.evaluation.ngrams import Reference, references
from wetware.evaluation.report import Report, evaluate
from wetware.evaluation.suite import SUITES, Results, ask, chosen

__all__ = [
    "SUITES",
    "Measure",
    "Reference",
    "Report",
    "Results",
    "Subject",
    "Table",
    "ask",
    "chosen",
    "evaluate",
    "references",
]
