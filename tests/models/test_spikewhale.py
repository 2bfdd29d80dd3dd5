"""SpikeWhale against its equations, written again token by token; its calibration, losses and sizes."""

import torch

import wetware
from wetware.kernels import rms_norm
from wetware.layers.spike_encoder import DEVIATION
from wetware.models import FiringFloor, SpikeWhale
from wetware.neurons import Activity

CONFIG = SpikeWhale(vocab_size=67, boundary=0, width=33, depth=3, embedding=25)


def by_hand(model, tokens):
    """Logits and spikes by the equations of the class, one token at a time, in float64."""
    layers, size = list(model.layers), model.config.width
    params = model.neuron_params()
    v = [torch.zeros(len(tokens), size, dtype=torch.float64) for _ in layers]
    s = [torch.zeros_like(v[0]) for _ in layers]
    logits, fired = [], []
    for t in range(tokens.shape[1]):
        keep = (tokens[:, t] != model.config.boundary).double()[:, None]
        x, features = model.table[tokens[:, t]] / DEVIATION, []
        for index, (layer, p) in enumerate(zip(layers, params, strict=True)):
            gain = 1.0 if index == 0 else model.config.input_gain
            current = gain * (x @ layer.fc_in.weight.T) + layer.bias
            pre = p.decay * v[index] * keep + p.gain * current + (s[index] * keep) @ layer.fc_rec
            s[index] = (pre >= p.threshold).double()
            v[index] = 30.0 * torch.tanh((pre - p.threshold * s[index]) / 30.0)
            features.append(torch.tanh(pre))
            x = s[index]
        z = rms_norm(torch.cat(features, -1) @ model.readout.out.weight.T)
        logits.append(rms_norm(z) * model.readout.scale @ model.table.T)
        fired.append(torch.stack(s))
    return torch.stack(logits, 1), torch.stack(fired, 2)


@torch.no_grad()
def test_the_equations():
    model = CONFIG.build(seed=2).double()
    tokens = torch.randint(0, 67, (2, 30), generator=torch.Generator().manual_seed(1))
    tokens[1, 12] = 0
    model.calibrate(tokens, 0.2)
    output = model(tokens)
    logits, spikes = by_hand(model, tokens)
    for layer, expected in zip(output.activity, spikes, strict=True):
        assert torch.equal(layer.spikes, expected)
        assert 0.1 < layer.spikes.mean() < 0.4
    torch.testing.assert_close(output.logits, logits)


def test_calibration_reaches_the_rate_in_every_layer():
    model = wetware.recipe("spikewhale_1m").model.build(seed=1)
    text = torch.randint(1, 2048, (8, 64), generator=torch.Generator().manual_seed(0))
    rates = model.calibrate(text, 0.2)
    assert len(rates) == 3 and all(abs(rate - 0.2) < 0.01 for rate in rates.values())
    fired = [float(layer.spikes.detach().mean()) for layer in model(text).activity]
    assert all(abs(rate - 0.2) < 0.01 for rate in fired)


def test_the_floor_is_one_sided():
    def layer(rate):
        spikes = torch.zeros(1, 10, 10)
        spikes.flatten()[: round(100 * rate)] = 1.0
        return Activity(spikes, spikes)

    floor = FiringFloor(rate=0.2, weight=50.0)
    assert float(floor.loss((layer(0.41), layer(0.2)))) == 0.0
    torch.testing.assert_close(floor.loss((layer(0.1), layer(0.5))), torch.tensor(50.0 * 0.1**2 / 2))


def test_all_layers_share_one_set_of_strengths():
    model = CONFIG.build()
    assert [path for path, _ in model.named_parameters() if "thr_gain" in path] == ["modulators.gene_program.thr_gain"]
    first, *others = model.neuron_params()
    assert all(torch.equal(first.threshold, other.threshold) for other in others)
    assert first.threshold.std() > 0.05


def test_sizes():
    for name, millions in (("spikewhale_1m", 0.92), ("spikewhale_6m", 5.7), ("spikewhale_20m", 20.8)):
        with torch.device("meta"):
            model = wetware.recipe(name).model.module()
        assert abs(model.parameter_count() / 1e6 - millions) < 0.1, name


def test_the_author_s_size_by_part():
    """What the description determines, and what is left for the traits; nothing is allocated."""
    with torch.device("meta"):
        model = wetware.recipe("spikewhale").model.module()
    counted = {"table": 0, "layers": 0, "readout": 0, "modulators": 0, "traits": 0}
    for path, parameter in model.named_parameters():
        counted[path.partition(".")[0]] += parameter.numel()
    assert counted.pop("traits") == 164_748_416
    assert counted == {"table": 24_569_856, "layers": 17_719_104, "readout": 8_856_577, "modulators": 54}
    assert abs(model.parameter_count() - 215_901_779) < 10_000
