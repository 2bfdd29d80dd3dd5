"""Evaluation: what a trained model is worth, beside references anyone can understand."""

from wetware.evaluation.ngrams import Reference, references
from wetware.evaluation.report import Report, evaluate

__all__ = ["Reference", "Report", "evaluate", "references"]
