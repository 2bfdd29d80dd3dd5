import numpy as np
import pytest
import torch

import wetware
from wetware.config import ablate
from wetware.evaluation.inspection import layers_of
from wetware.modulation import PROGRAMS, dominant
from wetware.pictures.architecture import SHARE, THEMES, architecture, architecture_figure, embedding
from wetware.pictures.curves import COLOURS


def whale(**more):
    return layers_of(wetware.SpikeWhale(vocab_size=30, width=70, depth=2, embedding=8, **more).build(seed=0))


def drawn(figure):
    """(dots, lines) of each disc."""
    from matplotlib.collections import LineCollection, PathCollection

    found = []
    for axis in figure.axes:
        dots = [part for part in axis.collections if isinstance(part, PathCollection)]
        found.append((dots[0], [part for part in axis.collections if isinstance(part, LineCollection)]))
    return found


def test_every_neuron_is_a_dot_of_its_program_sized_by_its_wiring():
    from matplotlib.colors import to_rgb

    layers = whale()
    figure = architecture_figure(layers, "it")
    for layer, (dots, lines) in zip(layers, drawn(figure), strict=True):
        assert len(dots.get_offsets()) == 70
        counts = np.bincount(dominant(layer.programs), minlength=6)
        colours = dots.get_facecolors()[:, :3]
        assert [int(np.isclose(colours, to_rgb(colour)).all(1).sum()) for colour in COLOURS] == counts.tolist()
        weights = layer.recurrent.detach()
        strength = weights.norm(dim=0) + weights.norm(dim=1)
        assert np.all(np.diff(dots.get_sizes()) <= 1e-6)  # large ones below
        assert len({round(size, 6) for size in dots.get_sizes().tolist()}) > 30
        assert float(strength.max()) > float(strength.min())
        assert len(lines[0].get_segments()) == round(SHARE * 70 * 70)
    texts = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    total = np.bincount(torch.cat([dominant(layer.programs) for layer in layers]), minlength=6)
    for name, count in zip(PROGRAMS, total, strict=True):
        assert f"{name.replace('_', ' ')}  {count}" in texts


def test_the_strongest_weights_are_the_lines_and_their_sign_the_colour():
    from matplotlib.colors import to_rgb

    model = wetware.SpikeWhale(vocab_size=30, width=40, depth=1, embedding=8).build(seed=0)
    with torch.no_grad():
        model.layers[0].fc_rec.mul_(0.01)
        model.layers[0].fc_rec[3, 7], model.layers[0].fc_rec[9, 2] = 1.0, -2.0
    (_, lines), theme = drawn(architecture_figure(layers_of(model), "it"))[0], THEMES["light"]
    assert np.allclose(
        [colour[:3] for colour in lines[0].get_colors()], [to_rgb(theme.excitatory), to_rgb(theme.inhibitory)]
    )


def test_what_is_wired_together_lies_together():
    """Two groups that are wired only within themselves are two heaps."""
    groups = np.arange(80) % 2
    weights = np.random.default_rng(0).random((80, 80)) * (0.02 + (groups[:, None] == groups[None]))
    points = embedding(weights, 80)
    assert np.hypot(*points.T).max() <= 1.0
    centres = np.stack([points[groups == group].mean(0) for group in (0, 1)])
    assert np.hypot(*(centres[0] - centres[1])) > 0.6
    assert np.array_equal(points, embedding(weights, 80))


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_models_without_programs_or_wiring_are_drawn_too(tmp_path, suffix):
    bare = wetware.SpikeWhale(vocab_size=30, width=20, depth=5, embedding=8, recurrence=None, modulators=()).build()
    sam = ablate(wetware.tiny("real_sam"), "block.gate").build()
    for name, model in (("bare", bare), ("sam", sam)):
        for theme in THEMES.values():
            assert architecture(layers_of(model), name, tmp_path / f"{name}.{suffix}", theme).stat().st_size > 1000
