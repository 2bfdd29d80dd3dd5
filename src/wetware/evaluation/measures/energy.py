"""Energy: an estimate by counting operations."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import nn

from wetware.config import number
from wetware.evaluation.firing import firing
from wetware.evaluation.measure import Measure, Progress, Subject, Table
from wetware.neurons import Neuron
from wetware.operations import Counted, Operation, Workload, operations, uncounted

LEFT_OUT = (
    "Not counted: norms, activation functions, gates' products, sums of vectors, sampling, and moving data, which on real "
    "hardware often costs more than arithmetic."
)


@dataclass(frozen=True, kw_only=True)
class Energy(Measure):
    """Picojoule per token, ESTIMATED from an operation count; nothing is measured but firing rates::

        energy = multiply * MACs + add * SynOps
        SynOps = spikes * fan-out,  event by event, at the rates of this model on held-out text
        MACs   = inputs * outputs, where inputs are real numbers: they multiply whatever their value

    ``multiply`` = 4.6 pJ (3.7 for a 32-bit float product and 0.9 for the sum) and ``add`` = 0.9 pJ, at 45 nm (Horowitz, 2014).
    Weights that read spikes (recurrent, output, binary token codes) count SynOps; those that read the residual stream (input
    weights, gates, readout, all of a transformer) count MACs. Attention is counted at ``context`` positions, or its window.
    Each layer tells its own operations (:mod:`wetware.operations`); matrices that no layer told of are named.

    Beside it the same model with every product dense: what a machine pays that cannot leave out what did not fire.
    """

    title: ClassVar[str] = "Energy per token: an estimate by operation count"
    quick: ClassVar[bool] = True
    weight: ClassVar[float] = 3.0

    context: int = number(256, 1)
    multiply: float = number(4.6, 0.0)
    add: float = number(0.9, 0.0)
    limit: int = number(200_000, 1)

    def quickly(self) -> Energy:
        return replace(self, limit=20_000)

    def refusal(self, subject: Subject) -> str | None:
        if any(isinstance(module, Counted) for module in subject.model.modules()):
            return None
        return f"no part of {type(subject.model.config).__name__} tells what it computes (wetware.operations.Counted)"

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        seen = firing(subject, self.limit, progress)
        # a model gives the activity of its layers in the order in which it holds them
        neurons = [module for module in subject.model.modules() if isinstance(module, Neuron)]
        fired = [
            float(rates.sum()) if neuron.binary else None for neuron, rates in zip(neurons, seen.rates, strict=True)
        ]
        spikes: dict[nn.Module, float | None] = dict(zip(neurons, fired, strict=True))
        found = operations(subject.model, Workload(spikes, seen.frequencies, self.context))
        terms = [self._term(operation) for operation in found]
        keys = ("multiply_accumulates", "synaptic_operations", "dense_multiply_accumulates", "picojoules")
        totals = {key: sum(float(term[key]) for term in terms) for key in keys}
        untold = [
            name
            for name, module in subject.model.named_modules()
            if isinstance(module, Neuron) and not isinstance(module, Counted)
        ]
        return {
            "kind": "an estimate: an operation count, not a measurement",
            "formula": f"{self.multiply} pJ * MACs + {self.add} pJ * SynOps (45 nm, Horowitz 2014)",
            "picojoules_per_multiply_accumulate": self.multiply,
            "picojoules_per_accumulate": self.add,
            "context": self.context,
            "tokens": seen.tokens,
            **totals,
            "dense_picojoules": self._cost(totals["dense_multiply_accumulates"], 0.0),
            "terms": terms,
            "uncounted": [*uncounted(subject.model, found), *untold],
        }

    def _term(self, operation: Operation) -> dict[str, Any]:
        return {
            "name": operation.name,
            "inputs": operation.inputs,
            "outputs": operation.outputs,
            "events": operation.events,
            "multiply_accumulates": operation.multiply_accumulates,
            "synaptic_operations": operation.synaptic_operations,
            "dense_multiply_accumulates": operation.dense,
            "picojoules": self._cost(operation.multiply_accumulates, operation.synaptic_operations),
        }

    def _cost(self, multiplied: float, added: float) -> float:
        return self.multiply * multiplied + self.add * added

    def table(self, figures: dict[str, Any]) -> Table:
        rows = [_row(name, line) for name, line in _folded(figures["terms"]).items()]
        rows.append(_row("all", figures))
        dense = (figures["dense_multiply_accumulates"], figures["dense_picojoules"])
        rows.append(("all, if dense", "", f"{dense[0]:,.0f}", "", f"{dense[0]:,.0f}", f"{dense[1]:,.0f}"))
        note = (
            f"{figures['kind'].capitalize()}: {figures['formula']}; firing rates of {figures['tokens']:,} held-out tokens; "
            f"attention at a context of {figures['context']}. {LEFT_OUT}"
        )
        if figures["uncounted"]:
            note += f" Missing, because their layers do not tell: {', '.join(figures['uncounted'])}."
        return Table(("operations per token", "fires", "MACs", "SynOps", "if dense", "pJ"), tuple(rows), note)


def _folded(terms: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The terms of blocks that are alike as one: ``blocks.0.fc_in`` and ``blocks.1.fc_in`` are ``blocks.fc_in``, summed. Where
    some of them read spikes and others do not, those that differ from the first stand apart."""
    folded: dict[str, dict[str, Any]] = {}
    for term in terms:
        name = re.sub(r"\.\d+\.", ".", term["name"])
        if name in folded and (folded[name]["events"] is None) != (term["events"] is None):
            name += " of spikes" if term["events"] is not None else " of real numbers"
        known = folded.setdefault(name, dict.fromkeys(term, 0))
        for key, value in term.items():
            known[key] = name if key == "name" else None if value is None else known[key] + value
    return folded


def _row(name: str, line: dict[str, Any]) -> tuple[str, ...]:
    fires = f"{line['events'] / line['inputs']:.1%}" if line.get("events") is not None else ""
    counts = (line["multiply_accumulates"], line["synaptic_operations"], line["dense_multiply_accumulates"])
    return (name, fires, *(f"{value:,.0f}" for value in counts), f"{line['picojoules']:,.0f}")
