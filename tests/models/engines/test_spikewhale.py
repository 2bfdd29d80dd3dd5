"""SpikeWhale's engine: it writes what the model's own forward writes, with traits and without, and leaves the same state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

import wetware
from wetware.config import with_
from wetware.kernels.compiled import threads
from wetware.models.engines import WEIGHTS, ForwardEngine, engines, rounded, spikewhale
from wetware.models.engines.spikewhale import SpikeWhaleEngine
from wetware.models.engines.spikewhale_traits import SpikeWhaleTraitsEngine
from wetware.models.generation import Sampling, Session
from wetware.models.spikewhale import NEURONS
from wetware.parameters import normal, parameter
from wetware.state import leaves
from wetware.traits import Passed, Site, Trait, TraitConfig

from ...laws.subjects import assert_same, first_flip, lively, thresholds
from ...laws.test_l3_agreement import read_by

PROMPT = [0, 5, 9, 3, 61, 0, 7, 7, 2]
GREEDY, PLAIN = Sampling(temperature=0.0), Sampling(temperature=0.7)
SAMPLINGS = {
    "greedy": GREEDY,
    "plain": PLAIN,
    "top-k": Sampling(temperature=0.7, top_k=5),
    "top-p": Sampling(temperature=0.7, top_p=0.6),
    "penalty": Sampling(temperature=0.7, top_k=20, repetition_penalty=1.7),
}


# ------------------------------------------------------------------------------------------------- traits of these tests


@dataclass(frozen=True, kw_only=True)
class Fading(TraitConfig):
    """Adds what it remembers of the vectors before, and how much the neurons fire; forgets at the start of a document."""

    def build(self, place):
        return FadingModule(place.width)


@dataclass(frozen=True, kw_only=True)
class FadingInput(Fading):
    site: ClassVar[Site] = Site.INPUT


class FadingModule(Trait):
    def __init__(self, width):
        super().__init__()
        self.width = width
        self.mix = parameter(width, width, draw=normal(0.3))

    def init_state(self, batch):
        return self.mix.new_zeros(batch, self.width)

    def forward(self, hidden, state, context):
        made = []
        for t, now in enumerate(hidden.unbind(1)):
            kept = state if context.keep is None else state * context.keep[:, t, None]
            for layer in context.activity:
                now = now + layer.spikes[:, t].mean(1, keepdim=True) + 0.1 * layer.membrane[:, t].mean(1, keepdim=True)
            made.append(now + kept @ self.mix)
            state = 0.5 * kept + hidden[:, t]
        return Passed(torch.stack(made, 1), state)


@dataclass(frozen=True, kw_only=True)
class Judge(TraitConfig):
    """Has a loss, and changes nothing."""

    only_losses: ClassVar[bool] = True

    def build(self, place):
        return JudgeModule()


class JudgeModule(Trait):
    def forward(self, hidden, state, context):
        return Passed(hidden, state)

    def losses(self, hidden, context):
        return {"size": hidden.square().mean()}


# -------------------------------------------------------------------------------------------------------------- subjects


def config(**changes):
    """A tiny SpikeWhale with fields at these paths changed (``__`` for a dot)."""
    made = wetware.tiny("spikewhale")
    for path, value in changes.items():
        made = with_(made, path.replace("__", "."), value)
    return made


def sharp(config, seed=0):
    """A lively model that fires, whose logits differ by some units, as a trained one's do."""
    model = lively(config, seed)
    with torch.no_grad():
        for layer in model.layers:
            layer.bias.normal_(0.0, 0.3, generator=torch.Generator().manual_seed(seed))
        tokens = torch.randint(0, model.vocab_size, (4, 32), generator=torch.Generator().manual_seed(seed))
        model.calibrate(tokens, 0.2)
        model.readout.scale.fill_(4.0)
    return model


def written(engine, model, sampling, prompt, count, **keywords):
    with engines.using(engine):
        session = Session(model, sampling, seed=3, batch=len(prompt), **keywords)
    session.read(prompt)
    return torch.cat([prompt, session.tokens(1), session.tokens(count - 1)], 1), session


def assert_write_alike(model, sampling, prompt=None, count=24, weights="float32"):
    """The same tokens and states; where another order of adding up has flipped a spike, it must be a tie."""
    prompt = torch.tensor([PROMPT]) % model.vocab_size if prompt is None else prompt
    mine, session = written("numba", model, sampling, prompt, count, weights=weights)
    its, reference = written("reference", model, sampling, prompt, count, weights=weights)
    plain = rounded(model, weights)
    if not torch.equal(mine, its):
        outputs = plain(mine), read_by("numba", plain, mine)
        assert first_flip(*outputs) is not None
        assert_same(*outputs, thresholds(plain))
        return
    torch.testing.assert_close(session.logits, reference.logits, atol=5e-4, rtol=0)
    states = dict(leaves(session.state)), dict(leaves(reference.state))
    assert states[0].keys() == states[1].keys()
    assert type(session.state) is type(reference.state)
    assert type(session.state.traits) is type(reference.state.traits)
    for path, value in states[0].items():
        torch.testing.assert_close(
            value, states[1][path], atol=5e-4, rtol=0, msg=lambda text, path=path: f"{path}: {text}"
        )


ODD = {
    "width 33, embedding 25": {"width": 33, "embedding": 25},
    "one layer": {"width": 33, "embedding": 25, "depth": 1},
    "three layers": {"width": 33, "embedding": 25, "depth": 3, "readout_decay": None},
    "wide": {"width": 70, "embedding": 40},
    "width 1": {"width": 1, "embedding": 1},
    "two tokens": {"vocab_size": 2},
    "no boundary": {"boundary": None},
    "no recurrence": {"recurrence": None, "depth": 3},
    "no bound, all learned": {"neuron": wetware.LIF()},
    "a close bound": {"neuron__reset__bound": 0.4, "width": 33},
    "no modulators": {"modulators": ()},
    "other gains": {"input_gain": 1.7, "neuron": with_(NEURONS, "threshold", 0.6)},
}


@pytest.mark.parametrize("changes", ODD.values(), ids=ODD)
@pytest.mark.parametrize("weights", WEIGHTS)
@torch.no_grad()
def test_odd_models(changes, weights):
    assert_write_alike(sharp(config(**changes)), PLAIN, weights=weights)


TRAITS = {
    "none": (),
    "only losses": (Judge(),),
    "readout": (Fading(),),
    "input": (FadingInput(),),
    "all": (Fading(), Judge(), FadingInput()),
}


@pytest.mark.parametrize("traits", TRAITS.values(), ids=TRAITS)
@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
@pytest.mark.parametrize("batch", [1, 3])
@torch.no_grad()
def test_the_same_tokens_and_state(traits, sampling, batch):
    """From prompts with boundaries, on through boundaries that are chosen."""
    model = sharp(config(traits=traits, width=33, embedding=25))
    model.table[0] *= 1.5
    prompt = torch.randint(0, 67, (batch, 11), generator=torch.Generator().manual_seed(batch))
    prompt[-1, 4] = 0
    assert_write_alike(model, sampling, prompt)


@pytest.mark.parametrize("sampling", [GREEDY, PLAIN], ids=["greedy", "plain"])
@pytest.mark.parametrize("batch", [1, 3])
@torch.no_grad()
def test_hundreds_of_tokens(sampling, batch):
    prompt = torch.randint(0, 67, (batch, 40), generator=torch.Generator().manual_seed(1))
    prompt[0, 20] = 0
    assert_write_alike(sharp(config(depth=3)), sampling, prompt, 300)


@torch.no_grad()
def test_a_model_of_the_recipe():
    model = sharp(wetware.recipe("spikewhale_1m").fitted(2048, 0).model)
    for sampling in (GREEDY, PLAIN):
        assert_write_alike(model, sampling, count=120)


@pytest.mark.parametrize("weights", ["bfloat16", "int8"])
@torch.no_grad()
def test_weights_in_fewer_bits_also_in_traits(weights):
    model = sharp(config(traits=TRAITS["all"]))
    whole, other = (rounded(model, which) for which in ("float32", weights))
    text = torch.tensor([PROMPT])
    assert (whole(text).logits - other(text).logits).abs().max() > 1e-3
    assert_write_alike(model, PLAIN, weights=weights)


@torch.no_grad()
def test_currents_too_many_for_a_table_are_computed(monkeypatch):
    model = sharp(config(width=33, embedding=25))
    looked_up, _ = written("numba", model, PLAIN, torch.tensor([PROMPT] * 3), 20)
    monkeypatch.setattr(spikewhale, "LARGEST", 67 * 33 - 1)
    computed, session = written("numba", model, PLAIN, torch.tensor([PROMPT] * 3), 20)
    assert session.engine._weights.current.size == 0 and torch.equal(looked_up, computed)
    for weights in WEIGHTS:
        assert_write_alike(model, PLAIN, weights=weights)


@pytest.mark.parametrize("traits", [(), TRAITS["all"]], ids=["alone", "traits"])
@torch.no_grad()
def test_reading_in_pieces(traits):
    model = sharp(config(traits=traits))
    prompt = torch.randint(0, 67, (2, 17), generator=torch.Generator().manual_seed(1))
    texts = []
    for sizes in ((17,), (1, 7, 6, 3)):
        with engines.using("numba"):
            session = Session(model, PLAIN, seed=3, batch=2)
        for part in prompt.split(sizes, 1):
            session.read(part)
        texts.append(session.tokens(6))
    assert torch.equal(*texts)


@pytest.mark.parametrize("traits", [(), TRAITS["all"]], ids=["alone", "traits"])
@torch.no_grad()
def test_stop_and_nothing(traits):
    model = sharp(config(traits=traits))
    text, _ = written("numba", model, PLAIN, torch.tensor([PROMPT]), 12)
    expected = text[0, len(PROMPT) :].tolist()
    stop = expected[6]
    with engines.using("numba"):
        session = Session(model, PLAIN, seed=3)
    session.read(PROMPT)
    assert session.tokens(0).shape == (1, 0)
    length = expected.index(stop) + 1
    assert session.tokens(12, stop)[0].tolist() == expected[:length]
    assert session.tokens(4)[0].tolist() == expected[length : length + 4]


@pytest.mark.parametrize("traits", [(), TRAITS["all"]], ids=["alone", "traits"])
@pytest.mark.parametrize(("width", "weights"), [(33, "float32"), (70, "int8")])
@torch.no_grad()
def test_threads_that_share_a_text_write_what_one_writes(monkeypatch, traits, width, weights):
    model = sharp(config(traits=traits, width=width, embedding=40, depth=3))
    texts = []
    torch.set_num_threads(2)
    try:
        if not threads.together(lambda part: None, 2):
            assert threads._openmp() is None  # only where PyTorch's OpenMP cannot be reached
            return
        for parts in ([1], [2], [1, 2, 2]):
            with engines.using("numba"):
                session = Session(model, PLAIN, seed=3, weights=weights)
            turns = [*parts] * 100
            monkeypatch.setattr(session.engine._pace, "parts", turns.pop)
            session.read(PROMPT)
            texts.append((torch.cat([session.tokens(5) for _ in range(4)], 1), session.logits, session.state))
    finally:
        torch.set_num_threads(1)
    for text, logits, state in texts[1:]:
        assert torch.equal(text, texts[0][0]) and torch.equal(logits, texts[0][1])
        for (_, mine), (_, other) in zip(leaves(state), leaves(texts[0][2]), strict=True):
            assert torch.equal(mine, other)


@torch.no_grad()
def test_a_state_that_was_given_out_does_not_change():
    for traits in TRAITS.values():
        _, session = written("numba", sharp(config(traits=traits)), PLAIN, torch.tensor([PROMPT]), 3)
        state = session.state
        before = [leaf.clone() for _, leaf in leaves(state)]
        session.tokens(5)
        assert all(torch.equal(old, new) for old, (_, new) in zip(before, leaves(state), strict=True))


# ------------------------------------------------------------------------------------------------------- which, and why


@pytest.mark.parametrize(("name", "kind"), [(name, SpikeWhaleEngine) for name in ("none", "only losses")]
                         + [(name, SpikeWhaleTraitsEngine) for name in ("readout", "input", "all")])  # fmt: skip
def test_it_is_chosen_where_it_can(name, kind):
    model = config(traits=TRAITS[name]).build()
    assert engines.explain(model).startswith("numba: chosen")
    assert type(Session(model, PLAIN).engine) is kind


@pytest.mark.parametrize(
    ("build", "weights", "reason"),
    [
        (lambda: config(neuron=wetware.GradedLIF()).build(), "float32", "knows LIF neurons only, got GradedLIF"),
        (lambda: config().build().double(), "float32", "needs float32 on the CPU, got torch.float64 on cpu"),
        (lambda: config().build(), "int4", "weights may be float32, bfloat16, int8, got 'int4'"),
        (lambda: config(embedding=60_001, width=1, depth=1).build(), "float32", "a token has 60001 numbers, and its"),
    ],
    ids=["GradedLIF", "float64", "unknown weights", "too wide"],
)
def test_refusals(build, weights, reason):
    model = build()
    assert f"numba: refused, {reason}" in engines.explain(model, 1, weights)
    if weights in WEIGHTS:
        assert isinstance(engines(model, 1, weights), ForwardEngine)
