"""Activity against counting spikes token by token."""

import pytest
import torch

from wetware.evaluation.measures.activity import Activity


def test_rates_dead_and_saturated(subject):
    it = subject("real_sam")
    with torch.no_grad():
        it.model.blocks[0].neuron.log_threshold[3] = 50.0  # never fires
        it.model.blocks[1].neuron.log_threshold[5] = -50.0  # fires where its current is not below zero
    figures = Activity(bins=10).take(it, lambda share: None)
    counts, read = [0.0, 0.0], 0
    for index in range(it.held_out.documents):
        state = it.model.init_state(1)
        for token in it.held_out.read_document(index)[:-1]:
            with torch.no_grad():
                output = it.model.step(torch.tensor([token]), state)
            state, read = output.state, read + 1
            counts = [count + layer.spikes[0, 0].double() for count, layer in zip(counts, output.activity, strict=True)]
    assert figures["tokens"] == read
    for layer, count in zip(figures["layers"], counts, strict=True):
        rates = count / read
        assert layer["rate"] == pytest.approx(float(rates.mean()), abs=1e-3)  # a tie may round to the other side
        assert layer["dead"] == pytest.approx(float((rates == 0).double().mean()), abs=0.04)
        assert sum(layer["histogram"]) == layer["neurons"] == len(rates)
    assert figures["layers"][0]["dead"] >= 1 / 32


def test_a_saturated_neuron_is_seen(subject):
    it = subject("real_sam")
    with torch.no_grad():
        it.model.blocks[
            0
        ].fc_in.weight.zero_()  # membranes stay at zero: one whose threshold is below that always fires
        it.model.blocks[0].fc_rec.zero_()
        it.model.blocks[0].neuron.log_threshold.fill_(0.0)
    assert Activity().take(it, lambda share: None)["layers"][0]["dead"] == 1.0
    with torch.no_grad():
        it.model.blocks[0].neuron.log_threshold[:8] = -200.0  # exp(-200) is 0 in float32
    layer = Activity().take(it, lambda share: None)["layers"][0]
    assert (layer["dead"], layer["saturated"], layer["histogram"][-1]) == (0.75, 0.25, 8)


def test_a_model_without_neurons_refuses(subject):
    assert "GPT has no neurons" in Activity().refusal(subject("gpt"))
    assert Activity().refusal(subject("real_sam")) is None


def test_as_good_as_dead_is_a_rate(subject):
    it = subject("real_sam")
    strict, lenient = (Activity(dead=dead).take(it, lambda share: None) for dead in (0.0, 1.0))
    assert strict["dead"] < 1.0 == lenient["dead"]
    assert "not one spike" in Activity().table(strict).note
    assert "0.25" in Activity().table(Activity(dead=0.25).take(it, lambda share: None)).note
