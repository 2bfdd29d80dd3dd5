"""L3: every backend of an op equals its readable reference: outputs, final state and every gradient, at odd sizes, with
uninitialised memory poisoned by NaN. And every engine reads and writes as the model's own forward does."""

import sys

import pytest
import torch

from wetware.kernels import OPS
from wetware.models import Output
from wetware.models.engines import engines
from wetware.models.generation import Sampling, Session
from wetware.neurons import Activity
from wetware.state import leaves

from .subjects import TOLERANCE, assert_same, first_flip, ids, lively, thresholds, tokens, variants

pytestmark = pytest.mark.usefixtures("triton_interpreter")
# What cannot be installed here at all. Anything else that is missing fails test_every_backend_answers.
NOT_HERE = set() if sys.platform == "linux" else {"triton"}
CASES = [(op, name, case) for op in OPS.values() for name in op.backends for case in op.cases()]


@pytest.fixture(autouse=True)
def poison():
    """Memory from ``torch.empty`` is filled with NaN: what a backend forgets to write is seen."""
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    assert torch.empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


def tracked(value, found):
    """A copy of the arguments in which every floating tensor asks for its gradient."""
    if isinstance(value, torch.Tensor):
        if not value.is_floating_point():
            return value
        found.append(value.detach().clone().requires_grad_())
        return found[-1]
    if isinstance(value, tuple):
        items = [tracked(item, found) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value


def flat(value):
    return [value] if isinstance(value, torch.Tensor) else [leaf for item in value for leaf in flat(item)]


def outcome(op, name, case, skip):
    """All outputs, and the gradients of a random weighing of them by every floating argument."""
    inputs = []
    arguments = [tracked(value, inputs) if index not in skip else value for index, value in enumerate(case.args)]
    with op.using(name):
        outputs = flat(op(*arguments, **case.keywords))
    generator = torch.Generator().manual_seed(5)
    total = sum((out * torch.randn(out.shape, generator=generator, dtype=out.dtype)).sum() for out in outputs)
    gradients = torch.autograd.grad(total, inputs, allow_unused=True)
    return outputs, [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, gradients, strict=True)]


def masks(case):
    """Places of arguments that are masks: only 0 and 1 in [B, T], constant by definition."""
    return {
        index
        for index, value in enumerate(case.args)
        if isinstance(value, torch.Tensor) and value.ndim == 2 and ((value == 0) | (value == 1)).all()
    }


@pytest.mark.parametrize(
    ("op", "name", "case"), CASES, ids=[f"{op.name}-{name}-{case.name}" for op, name, case in CASES]
)
def test_backend_equals_reference(op, name, case):
    if reason := op.backends[name].refuses(*case.args, **case.keywords):
        assert (
            reason.strip()
        )  # a refusal is an answer, if it says why; test_every_backend_answers sees that some case runs
        return
    skip = masks(case)
    mine, my_gradients = outcome(op, name, case, skip)
    reference, gradients = outcome(op, "reference", case, skip)
    for a, b in zip(mine + my_gradients, reference + gradients, strict=True):
        assert a.shape == b.shape
        assert a.isfinite().all()
        torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-8)


def in_float32(value):
    if isinstance(value, torch.Tensor):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, tuple):
        items = [in_float32(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value


def single(case):
    """The same arguments in float32."""
    keywords = {key: in_float32(value) for key, value in case.keywords.items()}
    return case._replace(args=tuple(in_float32(value) for value in case.args), keywords=keywords)


@pytest.mark.parametrize(
    ("op", "name", "case"), CASES, ids=[f"{op.name}-{name}-{case.name}" for op, name, case in CASES]
)
def test_backend_equals_reference_in_float32(op, name, case):
    """What runs in use. No membrane of these cases stands within 1e-5 of its threshold, so no spike may differ either."""
    case = single(case)
    if op.backends[name].refuses(*case.args, **case.keywords):
        return
    skip = masks(case)
    for mine, other in zip(outcome(op, name, case, skip), outcome(op, "reference", case, skip), strict=True):
        for a, b in zip(mine, other, strict=True):
            assert a.dtype == torch.float32
            torch.testing.assert_close(
                a, b, atol=1e-4 * max(1.0, float(b.detach().abs().max()) if b.numel() else 0.0), rtol=0
            )


def accepted(backend, *cases):
    """The first of the cases that a backend takes, or None."""
    return next((case for case in cases if backend.refuses(*case.args, **case.keywords) is None), None)


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_every_backend_answers(op):
    """Each backend that can run here takes at least one case, in one of the two types, and the gradients of some case are
    not all zero."""
    for name, backend in op.backends.items():
        if name in NOT_HERE:
            continue
        taken = [taken for case in op.cases() if (taken := accepted(backend, case, single(case)))]
        assert taken, f"{op.name}: {name} refuses every case"
        moved = [g.abs().sum() > 0 for case in taken for g in outcome(op, name, case, masks(case))[1]]
        assert sum(map(bool, moved)) > len(moved) / 2


ENGINES = [(f"{engine}-{name}", config, engine) for engine in engines.backends for name, config in variants()]


def read_by(engine, model, text):
    """What an engine says of ``text``, token by token; the spikes are those of its state."""
    with engines.using(engine):
        reader = engines(model, len(text))
    logits, spikes = [], []
    for token in text.split(1, 1):
        reader.read(token)
        logits.append(reader.logits())
        spikes.append([leaf for path, leaf in leaves(reader.state) if path.endswith("spikes")])
    activity = tuple(Activity(torch.stack(layer, 1), torch.empty(0)) for layer in zip(*spikes, strict=True))
    return Output(torch.stack(logits, 1), reader.state, activity)


def text_by(engine, model, sampling, prompt):
    with engines.using(engine):
        session = Session(model, sampling, seed=1, batch=len(prompt))
    session.read(prompt)
    return torch.cat([prompt, session.tokens(12)], 1)


@pytest.mark.parametrize(("name", "config", "engine"), ENGINES, ids=ids(ENGINES))
@torch.no_grad()
def test_every_engine_equals_forward(name, config, engine):
    """The same logits and states; the same text in each way to choose, at temperatures at which the logits decide."""
    model, text = lively(config), tokens(config)
    if reason := engines.backends[engine].refuses(model, 3):
        assert reason.strip()
        return
    forward = model(text)
    largest = float(forward.logits.abs().max())
    assert_same(forward, read_by(engine, model, text), thresholds(model), TOLERANCE * min(1.0, largest))
    some = 0.2 * largest
    for options in ({"temperature": 0.0}, {"top_k": 5}, {"top_p": 0.7}, {"repetition_penalty": 1.5}):
        sampling = Sampling(**{"temperature": some} | options)
        mine, reference = (text_by(which, model, sampling, text[:, 12:24]) for which in (engine, "reference"))
        if not torch.equal(mine, reference):  # then a spike must have flipped, and be a tie
            outputs = model(mine), read_by(engine, model, mine)
            assert first_flip(*outputs) is not None, options
            assert_same(*outputs, thresholds(model))


@pytest.mark.parametrize("engine", engines.backends)
def test_every_engine_takes_some_model(engine):
    models = [lively(config) for _, config, which in ENGINES if which == engine]
    assert any(engines.backends[engine].refuses(model) is None for model in models)
