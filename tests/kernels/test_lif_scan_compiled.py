"""The compiled backend of ``lif_scan`` beyond law L3: long runs in float32, at rates that take both of its ways, on several
threads, with inputs that lie anyhow and outputs that nobody uses."""

from __future__ import annotations

import pytest
import torch

from wetware.kernels import lif_scan
from wetware.kernels.compiled import events, products
from wetware.kernels.lif_scan import LIFState

TIE = 1e-5
# mean of the current, least and most firing
DRIVE = {"2 %": (-0.65, 0.01, 0.045), "10 %": (0.0, 0.06, 0.15), "45 %": (1.0, 0.38, 0.55)}


@pytest.fixture(autouse=True)
def _one_thread_afterwards():
    yield
    torch.set_num_threads(1)


def arguments(batch, steps, size, rate="10 %", *, recurrent=True, keep=True, bound=None, reset_gradient=0.0):
    """Everything that ``lif_scan`` takes, by name, in float32."""
    generator = torch.Generator().manual_seed(batch + 100 * steps + 10_000 * size)
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    return {
        "current": draw(batch, steps, size) + DRIVE[rate][0],
        "state": LIFState(draw(batch, size), (draw(batch, size) > 1.0).float()),
        "decay": torch.sigmoid(draw(size) - 1.0),
        "threshold": 1.0 + 0.5 * torch.sigmoid(draw(size)),
        "gain": torch.exp(0.1 * draw(size)),
        "recurrent": 0.3 * draw(size, size) / size**0.5 if recurrent else None,
        "keep": (draw(batch, steps) > -2.0).float() if keep else None,
        "width": 0.5 + torch.sigmoid(draw(size)),
        "slope": 2.0,
        "reset_gradient": reset_gradient,
        "bound": bound,
    }


NAMED = ("current", "decay", "threshold", "gain", "recurrent")


def outcome(name, given, used=(0, 1, 2, 3)):
    """The four outputs, and the gradients of a weighing of the ``used`` ones by everything that has any."""
    inputs = {key: given[key].detach().requires_grad_() for key in NAMED if given[key] is not None}
    state = LIFState(*(tensor.detach().requires_grad_() for tensor in given["state"]))
    with lif_scan.using(name):
        spikes, membranes, after = lif_scan(**(given | inputs | {"state": state}))
    outputs = (spikes, membranes, *after)
    weigh = lambda out: torch.linspace(-1.0, 2.0, out.numel()).view(out.shape)  # noqa: E731
    total = sum((outputs[index] * weigh(outputs[index])).sum() for index in used)
    gradients = torch.autograd.grad(total, [*inputs.values(), *state], allow_unused=True, materialize_grads=True)
    return [out.detach() for out in outputs], dict(zip((*inputs, "membrane", "spikes"), gradients, strict=True))


def near(a, b, tolerance=1e-4):
    torch.testing.assert_close(a, b, atol=tolerance * max(1.0, float(b.abs().max())), rtol=0)


def assert_alike(mine, reference, threshold):
    """Outputs up to the first flip of each sequence, which must be a tie; gradients when there was none. Says whether."""
    (spikes, membranes, *after), my_gradients = mine
    (other_spikes, other, *other_after), gradients = reference
    whole = True
    for row in range(len(spikes)):
        flips = (spikes[row] != other_spikes[row]).nonzero()
        upto = spikes.shape[1]
        if len(flips):
            whole, upto = False, int(flips[0, 0])
            for _, neuron in flips[flips[:, 0] == upto].tolist():
                assert abs(float(other[row, upto, neuron] - threshold[neuron])) < TIE
        near(membranes[row, :upto], other[row, :upto])
    if whole:
        for a, b in zip(after, other_after, strict=True):
            near(a, b)
        assert my_gradients.keys() == gradients.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close(
                my_gradients[name],
                gradient,
                atol=1e-4 * float(gradient.abs().max()),
                rtol=0,
                msg=lambda m, n=name: f"{n}: {m}",
            )
    return whole


RUNS = {
    "129, 2 %": ((3, 200, 129, "2 %"), {}),
    "129, 45 %": ((9, 60, 129, "45 %"), {"bound": 1.5, "reset_gradient": 0.5}),
    "257, 10 %": ((5, 100, 257, "10 %"), {"bound": 3.0, "keep": False}),
    "512, 10 %": ((2, 120, 512, "10 %"), {"reset_gradient": 1.0}),
    "512, 45 %": ((2, 40, 512, "45 %"), {}),
    "130, 45 %, not recurrent": ((2, 50, 130, "45 %"), {"recurrent": False}),
}


@pytest.mark.parametrize(("sizes", "options"), RUNS.values(), ids=RUNS)
def test_long_runs(sizes, options, monkeypatch):
    """By itself, always by sums over spikes, always by dense products."""
    given = arguments(*sizes, **options)
    reference = outcome("reference", given)
    assert DRIVE[sizes[3]][1] < float(reference[0][0].mean()) < DRIVE[sizes[3]][2]
    compared = []
    for switch in (events.SWITCH, 2.0, 0.0):
        monkeypatch.setattr(events, "SWITCH", switch)
        compared.append(assert_alike(outcome("numba", given), reference, given["threshold"]))
    assert any(compared), "a flip each time: no gradient was compared"


def test_which_way_forward_goes(monkeypatch):
    """Few spikes never touch the panels of a dense product; many do."""
    packed = products.packed
    monkeypatch.setattr(products, "packed", lambda weights: packed(weights) * torch.nan)
    for rate, finite in (("10 %", True), ("45 %", False)):
        with torch.no_grad(), lif_scan.using("numba"):
            _, membranes, _ = lif_scan(**arguments(3, 20, 70, rate))
        assert bool(membranes.isfinite().all()) == finite


@pytest.mark.parametrize("rate", DRIVE)
def test_threads(rate):
    """The same sums in the same order while they are sums over spikes. A dense product makes those of several sequences at
    once, in an order that depends on how many a thread has: there, alike up to a tie."""
    given = arguments(5, 30, 70, rate)
    torch.set_num_threads(1)
    one = outcome("numba", given)
    for count in (2, 3, 8):
        torch.set_num_threads(count)
        several = outcome("numba", given)
        assert_alike(several, one, given["threshold"])
        if rate != "45 %":
            assert all(map(torch.equal, several[0], one[0]))


@pytest.mark.parametrize("recurrent", [True, False])
def test_a_document_that_begins_at_the_first_token(recurrent):
    """What the state held does not matter, and has no gradient."""
    given = arguments(3, 7, 33, recurrent=recurrent)
    given["keep"][:] = 1.0
    given["keep"][:2, 0] = 0.0
    zeros = LIFState(*(tensor * torch.tensor([0.0, 0.0, 1.0])[:, None] for tensor in given["state"]))
    mine, gradients = outcome("numba", given)
    fresh, fresh_gradients = outcome("numba", given | {"state": zeros})
    assert all(map(torch.equal, mine, fresh))
    for name in ("current", "decay", "recurrent") if recurrent else ("current", "decay"):
        assert torch.equal(gradients[name], fresh_gradients[name]), name
    for name in ("membrane", "spikes"):
        assert (gradients[name][:2] == 0).all()
        assert (gradients[name][2] != 0).any() or (name == "spikes" and not recurrent)


@pytest.mark.parametrize("used", [(0,), (1,), (2,), (3,), (0, 3), (1, 2)], ids=str)
@pytest.mark.parametrize("sizes", [(1, 1, 5), (1, 17, 5), (2, 1, 33), (3, 6, 33)], ids=str)
def test_outputs_that_nobody_uses(sizes, used):
    """They have no gradient at all, and nothing is read where there is none."""
    given = arguments(*sizes, bound=2.0, reset_gradient=0.3)
    assert assert_alike(outcome("numba", given, used), outcome("reference", given, used), given["threshold"])


def test_inputs_that_lie_anyhow():
    """Transposed, every second, the same number everywhere; and a gradient that is."""
    given = arguments(3, 12, 20)
    apart = lambda x: torch.stack([x, torch.full_like(x, torch.nan)], -1)[..., 0]  # noqa: E731
    strange = {key: apart(value) if isinstance(value, torch.Tensor) else value for key, value in given.items()}
    strange["current"] = given["current"].transpose(0, 1).contiguous().transpose(0, 1)
    strange["recurrent"] = given["recurrent"].t().contiguous().t()
    strange["state"] = LIFState(*map(apart, given["state"]))
    assert not any(strange[key].is_contiguous() for key in ("current", "decay", "recurrent", "keep", "width"))
    mine, expected = outcome("numba", strange), outcome("numba", given)
    assert all(map(torch.equal, mine[0], expected[0]))
    assert all(torch.equal(mine[1][name], expected[1][name]) for name in expected[1])

    current = given["current"].requires_grad_()
    found = []
    for name in ("numba", "reference"):
        with lif_scan.using(name):
            spikes, membranes, _ = lif_scan(**(given | {"current": current, "gain": torch.ones(1).expand(20)}))
        found.append(torch.autograd.grad(spikes.sum() + membranes.mean((0, 1))[3], current)[0])  # expanded gradients
    near(*found)


def test_what_is_kept_for_backward():
    """The arguments, and the membranes before reset, which are an output: nothing else of their size."""
    given = arguments(2, 9, 20)
    given["current"].requires_grad_()
    kept = []
    keep = torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: (kept.append(tensor), tensor)[1], lambda tensor: tensor
    )
    with keep, lif_scan.using("numba"):
        _, membranes, _ = lif_scan(**given)
    mine = {x.data_ptr() for x in [*given.values(), *given["state"]] if isinstance(x, torch.Tensor)}
    more = [tensor for tensor in kept if tensor.data_ptr() not in mine]
    assert [tensor.data_ptr() for tensor in more] == [membranes.data_ptr()]
