"""Lesions: a trained model with one thing taken from it, without training it again. Always a copy: the model stays whole."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from wetware.config import ablate, mechanisms
from wetware.evaluation.inspection.neurons import layers_of
from wetware.models import LanguageModel, reconfigured
from wetware.modulation import PROGRAMS, dominant
from wetware.modulation.gene_program import GeneProgramBridge
from wetware.neurons import NeuronParams
from wetware.neurons.integrator import NEVER
from wetware.neurons.two_compartment import TwoCompartmentLayer

Edit = Callable[[int, NeuronParams], NeuronParams]  # of the parameters of a layer, by its place


class Lesion(NamedTuple):
    """name: for tables. about: what is taken. make: the lesioned copy of a model."""

    name: str
    about: str
    make: Callable[[LanguageModel], LanguageModel]


def without(model: LanguageModel, path: str) -> LanguageModel:
    """``model`` without the mechanism at ``path``; all its other weights as they are."""
    return reconfigured(model, ablate(model.config, path))


def edited(model: LanguageModel, edit: Edit) -> LanguageModel:
    """A copy whose neurons run with the parameters that ``edit`` makes of theirs, after all modulation."""
    model = copy.deepcopy(model)

    def hook(index: int) -> Callable:
        return lambda _, given: (*given[:2], edit(index, given[2]), *given[3:])

    for index, layer in enumerate(layers_of(model)):
        layer.neuron.register_forward_pre_hook(hook(index))
    return model


def silenced(model: LanguageModel, members: dict[int, Tensor]) -> LanguageModel:
    """A copy in which ``members`` (masks [N], by the layer's place) never fire. Their membranes are still read."""

    def edit(index: int, params: NeuronParams) -> NeuronParams:
        if index not in members:
            return params
        mask = members[index].to(params.threshold.device)
        return params._replace(threshold=torch.where(mask, NEVER, params.threshold))

    return edited(model, edit)


def decays_at_most_median(model: LanguageModel) -> LanguageModel:
    """A copy in which no neuron remembers longer than the median of its layer."""
    return edited(model, lambda _, params: params._replace(decay=params.decay.clamp_max(float(params.decay.median()))))


@torch.no_grad()
def without_slow_compartments(model: LanguageModel) -> LanguageModel:
    """A copy whose neurons fire by their fast compartments alone."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, TwoCompartmentLayer):
            module.slow_weight.zero_()
    return model


@torch.no_grad()
def with_bridge(model: LanguageModel, change: Callable[[GeneProgramBridge], Any]) -> LanguageModel:
    """A copy of which every bridge was changed."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, GeneProgramBridge):
            change(module)
    return model


def _shuffle(bridge: GeneProgramBridge) -> None:
    order = torch.randperm(len(bridge.programs), generator=Generator().manual_seed(0))
    bridge.programs.copy_(bridge.programs[order.to(bridge.programs.device)])


def _switch_off(bridge: GeneProgramBridge) -> None:
    for strength in (bridge.thr_gain, bridge.beta_gain, bridge.in_gain):
        strength.zero_()


def lesions(model: LanguageModel) -> Iterator[Lesion]:
    """Every lesion that ``model`` has something for, in the order of a report."""
    paths = mechanisms(model.config)
    for path in paths:
        if path.startswith("traits.") and path.count(".") == 1:
            name = path.partition(".")[2]
            yield Lesion(f"{name} left out", "the trait left out", lambda model, path=path: without(model, path))
    for path in paths:
        if path.rpartition(".")[2] == "recurrence":
            yield Lesion("W_rec = 0", "recurrent weights taken out", lambda model, path=path: without(model, path))
    layers = layers_of(model)
    members = {index: dominant(layer.programs) for index, layer in enumerate(layers) if layer.programs is not None}
    if members:
        yield Lesion("bridge off", "strengths of the gene programs 0", lambda model: with_bridge(model, _switch_off))
        yield Lesion("P shuffled", "rows of P dealt to other neurons", lambda model: with_bridge(model, _shuffle))
        for place, program in enumerate(PROGRAMS):
            masks = {index: belongs == place for index, belongs in members.items() if bool((belongs == place).any())}
            if masks:
                count = sum(int(mask.sum()) for mask in masks.values())
                about = f"the {count} neurons of the program never fire"
                yield Lesion(f"{program} silent", about, lambda model, masks=masks: silenced(model, masks))
    if any(float(layer.params.decay.max()) > float(layer.params.decay.median()) for layer in layers):
        yield Lesion("decays at most median", "no slow neurons", decays_at_most_median)
    if any(isinstance(layer.neuron, TwoCompartmentLayer) for layer in layers):
        yield Lesion("slow compartments cut off", "what they add to membranes 0", without_slow_compartments)


def inapplicable(model: LanguageModel) -> dict[str, str]:
    """Why lesions that other models have are not made of this one, by what they would be."""
    layers, paths, kind = layers_of(model), mechanisms(model.config), type(model.config).__name__
    found = {}
    if not any(path.startswith("traits.") for path in paths):
        found["traits left out"] = f"this {kind} has no traits"
    if all(layer.recurrent is None for layer in layers):
        found["W_rec = 0"] = f"this {kind} has no recurrent weights"
    if all(layer.programs is None for layer in layers):
        found["bridge off, P shuffled, programs silent"] = f"this {kind} has no gene programs"
    if all(float(layer.params.decay.max()) <= float(layer.params.decay.median()) for layer in layers):
        found["decays at most median"] = "no decay lies above the median of its layer"
    return found
