"""Operations as layers tell them, against every matrix product that is really made."""

from contextlib import ExitStack
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import wetware
from wetware.evaluation.measures.energy import Energy
from wetware.kernels.op import OPS
from wetware.layers import CurrentEncoder, SelfAttention
from wetware.operations import Workload, operations, uncounted
from wetware.parameters import normal, parameter

ELEMENTWISE = ("membrane", "reset")  # no matrix products


class Products(TorchDispatchMode):
    """Counts every matrix product: multiplications where the left side is real, and where it is 0 and 1, a sum for each 1."""

    def __init__(self):
        super().__init__()
        self.multiplied = self.added = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.bmm):
            left, right = args
            if bool(((left == 0) | (left == 1)).all()):
                self.added += int(left.sum()) * right.shape[-1]
            else:
                self.multiplied += left.numel() * right.shape[-1]
        elif function.overloadpacket in (torch.ops.aten.addmm, torch.ops.aten.baddbmm):
            raise AssertionError(f"a product of a kind that is not counted here: {function}")
        return function(*args, **(kwargs or {}))


def products(model, tokens):
    """The products of reading ``tokens`` one by one, by the readable references, and the state after them."""
    state = model.init_state(1)
    with ExitStack() as stack, torch.no_grad(), Products() as counter:
        for op in OPS.values():
            stack.enter_context(op.using("reference"))
        for token in tokens:
            state = model.step(torch.tensor([int(token)]), state).state
    return counter, state


@pytest.mark.parametrize("encoder", ["STESpikes", "CurrentEncoder"])
def test_spiking_by_brute_force(encoder, subject):
    config = wetware.tiny("real_sam")
    if encoder == "CurrentEncoder":
        config = replace(config, encoder=CurrentEncoder(bits=24))
    it = subject(config)
    with torch.no_grad():
        for block in it.model.blocks:
            block.fc_in.weight.mul_(3.0)  # livelier than at the start
    figures = Energy().take(it, lambda share: None)
    assert it.held_out.documents == 1
    text = it.held_out.read_document(0)[:-1]
    made, state = products(it.model, text)
    # the last spikes go into a recurrent product that nobody makes any more
    still_to_come = sum(float(layer.spikes.sum()) * layer.spikes.shape[1] for layer in state.blocks)
    told = [term for term in figures["terms"] if not term["name"].endswith(ELEMENTWISE)]
    added = sum(term["synaptic_operations"] for term in told) * len(text)
    assert added > 0
    assert made.multiplied == pytest.approx(sum(term["multiply_accumulates"] for term in told) * len(text))
    assert made.added + still_to_come == pytest.approx(added, rel=2e-3)  # a tie may round to the other side
    assert figures["uncounted"] == []


@pytest.mark.parametrize("context", [7, 16])
def test_attention_by_brute_force(context):
    config = replace(wetware.tiny("gpt"), attention=SelfAttention(heads=2), boundary=None)
    model = config.build(seed=0)
    with OPS["attention"].using("reference"), torch.no_grad(), Products() as made:
        model(torch.arange(1, context + 1)[None])  # the reference scores every key for every query, and masks
    work = Workload({}, torch.full((config.vocab_size,), 1 / config.vocab_size), context)
    found = operations(model, work)
    assert sum(operation.multiply_accumulates for operation in found) * context == made.multiplied
    assert made.added == 0


def test_a_window_bounds_attention():
    model = wetware.tiny("gpt").build(seed=0)  # window 12
    seen = [
        sum(o.dense for o in operations(model, Workload({}, torch.ones(67) / 67, context))) for context in (8, 12, 500)
    ]
    assert seen[0] < seen[1] == seen[2]


def test_what_no_layer_tells_is_named():
    model = wetware.tiny("gpt").build(seed=0)
    model.secret = parameter(3, 3, draw=normal(1.0))
    found = operations(model, Workload({}, torch.ones(67) / 67, 8))
    assert uncounted(model, found) == ["secret"]


def test_every_model_tells_all_its_matrices():
    for name in wetware.model_names():
        model = wetware.tiny(name).build(seed=0)
        neurons = {module: 1.0 for module in model.modules()}
        found = operations(model, Workload(neurons, torch.ones(67) / 67, 8))
        assert uncounted(model, found) == [], name


def test_the_estimate_is_the_formula(subject):
    energy = Energy(multiply=5.0, add=2.0)
    figures = energy.take(subject("real_sam"), lambda share: None)
    expected = 5.0 * figures["multiply_accumulates"] + 2.0 * figures["synaptic_operations"]
    assert figures["picojoules"] == pytest.approx(expected)
    assert figures["dense_picojoules"] > figures["picojoules"]
    note = energy.table(figures).note
    assert "estimate" in note
    assert "5.0 pJ" in note
    rows = {row[0]: row for row in energy.table(figures).rows}
    assert {"encoder.project", "blocks.fc_in", "blocks.fc_rec", "readout.table", "all"} <= rows.keys()


def test_layers_that_read_spikes_stand_apart_from_the_first_that_does_not(subject):
    it = subject("spikewhale")
    figures = Energy().take(it, lambda share: None)
    rows = {row[0]: row for row in Energy().table(figures).rows}
    assert rows["layers.fc_in"][1] == ""
    assert rows["layers.fc_in of spikes"][1].endswith("%")
    assert figures["uncounted"] == []
