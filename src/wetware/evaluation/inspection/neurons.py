"""Where the neurons of a model are: its layers, their wiring, and the gene programs of each neuron."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from wetware.models import LanguageModel
from wetware.modulation.gene_program import GeneProgramBridge
from wetware.neurons import Neuron, NeuronParams
from wetware.traits import Trait


class Layer(NamedTuple):
    """A layer of neurons. path: of its :class:`Neuron` in the model. params: as modulators leave them. recurrent: [N, N], row =
    presynaptic, or None. programs: P [N, K] of the bridge that sets these neurons, or None."""

    path: str
    neuron: Neuron
    params: NeuronParams
    recurrent: Tensor | None
    programs: Tensor | None


@torch.no_grad()
def layers_of(model: LanguageModel) -> tuple[Layer, ...]:
    """The layers of neurons of ``model``, in the order of its activity; none when nothing in it fires. Neurons inside a trait
    are the trait's own business."""
    traits = tuple(f"{path}." for path, module in model.named_modules() if isinstance(module, Trait))
    found = [
        (path, module)
        for path, module in model.named_modules()
        if isinstance(module, Neuron) and not path.startswith(traits)
    ]
    params = model.neuron_params()
    return tuple(
        Layer(path, neuron, of, recurrent_of(model, path), programs_of(model, path))
        for (path, neuron), of in zip(found, params, strict=bool(params))
    )


def recurrent_of(model: nn.Module, path: str) -> Tensor | None:
    """The recurrent weights beside the neurons at ``path``: the parameter ``fc_rec`` of the block that holds them."""
    owner = model.get_submodule(path.rpartition(".")[0])
    return dict(owner.named_parameters(recurse=False)).get("fc_rec")


def programs_of(model: nn.Module, path: str) -> Tensor | None:
    """P of the bridge that is nearest to the neurons at ``path``: in their block, else in what holds it."""
    while path:
        path = path.rpartition(".")[0]
        for module in model.get_submodule(path).modules():
            if isinstance(module, GeneProgramBridge):
                return module.programs
    return None


def no_programs(model: LanguageModel) -> str | None:
    """Why the neurons of ``model`` cannot be told apart by program."""
    if any(layer.programs is not None for layer in layers_of(model)):
        return None
    return f"{type(model.config).__name__} is without gene programs here: no bridge sets its neurons"


def no_recurrence(model: LanguageModel) -> str | None:
    """Why there is no recurrent wiring to look at."""
    if any(layer.recurrent is not None for layer in layers_of(model)):
        return None
    return f"{type(model.config).__name__} is without recurrent weights here"
