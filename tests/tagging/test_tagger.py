import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tagging.conftest import TAGGERS

from wetware.tagging import TagStream
from wetware.tagging.tagger import Batch

TEXTS = ["Ann Lee", "x", "call +49 30 555, or 10.0.0.1 " * 3, "ä–é\r\n"]


def test_padding_and_neighbours_move_no_score(tagger):
    together = tagger.scores(Batch.of(TEXTS)).logits
    for row, text in zip(together, TEXTS, strict=True):
        alone = tagger.scores(Batch.of([text])).logits[0]
        torch.testing.assert_close(row[: len(text)], alone, rtol=0, atol=1e-4)


def test_it_finds_the_same_in_any_company(tagger):
    assert tagger.find(TEXTS) == [tagger.find([text])[0] for text in TEXTS]
    assert tagger.find(["", "ab", ""])[0] == []


def test_spans_are_in_order_inside_the_text_and_apart(tagger):
    for text, spans in zip(TEXTS, tagger.find(TEXTS), strict=True):
        edges = [edge for span in spans for edge in span[:2]]
        assert edges == sorted(edges) and all(span.start < span.end <= len(text) for span in spans)


def test_both_ways_sees_what_follows_and_delayed_no_further_than_its_delay():
    for name, model in ((name, config.build(3)) for name, config in TAGGERS.items()):
        a, b = (model.scores(Batch.of([text])).logits[0] for text in ("aaaaaaaaaaaa", "aaaaaaaaaaab"))
        moved = (a - b).abs().amax(1) > 1e-6
        assert moved[-1]
        assert bool(moved[:-4].any()) == (model.lag == 0), name


@pytest.mark.parametrize("name", ["delayed", "delayed gru"])
@settings(max_examples=8)
@given(cuts=st.lists(st.integers(0, 40), max_size=5))
def test_a_stream_finds_what_the_whole_text_holds(name, cuts):
    model = TAGGERS[name].build(3)
    model.readout.weight.data.mul_(30)
    text = "Ann Lee, +49 30 555 or ann@b.de; 10.0.0.1"
    edges = [0, *sorted(cuts), len(text)]
    stream, spans = TagStream(model), []
    for first, last in itertools.pairwise(edges):
        spans += stream.feed(text[first:last])
        assert all(span.end <= stream.settled for span in spans)
    assert spans + stream.finish() == model.find([text])[0]
    assert stream.told == len(text)


def test_a_tagger_that_reads_both_ways_refuses_a_stream():
    with pytest.raises(ValueError, match="BothWays reads a text from its end"):
        TagStream(TAGGERS["gru"].build())


def test_calibration_makes_every_layer_fire_as_asked():
    model, batch = TAGGERS["spiking"].build(1), Batch.of([TEXTS[2]] * 4)
    model.calibrate(batch, 0.2)
    for layer in model.scores(batch).activity:
        assert float(layer.spikes.detach().mean()) == pytest.approx(0.2, abs=0.02)
    assert len(model.scores(batch).activity) == 4


def test_the_same_seed_draws_the_same_tagger():
    a, b, c = (TAGGERS["spiking"].build(seed).readout.weight for seed in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)
