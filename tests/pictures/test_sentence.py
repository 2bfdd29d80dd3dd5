import torch

import wetware
from wetware.evaluation.inspection import Sentence, layers_of
from wetware.pictures.sentence import MOST, raster_figure, traces, traces_figure


def sentence(layers, traces=None, tokens=7):
    spikes = tuple(
        (torch.rand(tokens, len(layer.params.decay), generator=torch.Generator().manual_seed(0)) < 0.3).float()
        for layer in layers
    )
    return Sentence(tuple(f" w{index}\n" for index in range(tokens)), spikes, spikes, traces or {})


def test_the_raster_has_the_text_under_it_and_a_cell_for_every_spike():
    layers = layers_of(wetware.SpikeWhale(vocab_size=30, width=30, depth=2, embedding=8).build())
    read = sentence(layers)
    figure = raster_figure(read, layers, "it")
    assert [label.get_text() for label in figure.axes[-1].get_xticklabels()] == [f"·w{index}⏎" for index in range(7)]
    for axis, spikes in zip(figure.axes[1:], read.spikes, strict=True):
        cells = axis.images[0].get_array()
        assert cells.shape == (30, 7, 3)
        assert int((cells < 1).any(-1).sum()) == int(spikes.sum())


def test_large_layers_are_thinned():
    layers = layers_of(wetware.SpikeWhale(vocab_size=30, width=2 * MOST + 1, depth=1, embedding=8).build())
    assert len(raster_figure(sentence(layers), layers, "it").axes[1].images[0].get_array()) <= MOST


def test_traces_one_few_and_many(tmp_path):
    layers = layers_of(wetware.tiny("real_sam").build())
    shown = {"a: order": torch.rand(7), "b: programs": torch.rand(7, 18), "c: six": torch.rand(7, 6)}
    figure = traces_figure(sentence(layers, shown), "it")
    assert [axis.get_title(loc="left") for axis in figure.axes] == list(shown)
    assert [len(axis.lines) for axis in figure.axes] == [1, 6, 0]
    first = shown["b: programs"][:, [0, 6, 12]].mean(1)
    assert torch.allclose(torch.tensor(figure.axes[1].lines[0].get_ydata()), first)
    assert figure.axes[2].images[0].get_array().shape == (6, 7)  # six that are no programs are not called so
    assert traces(sentence(layers), "it", tmp_path / "none.png") is None
    assert traces(sentence(layers, shown), "it", tmp_path / "some.png").stat().st_size > 1000
