"""``lif_scan`` against numbers worked out by hand and gradients in closed form, for the reference and every backend.

The checks are plain functions of an implementation, so that the last test can hold them against damaged copies of the
reference: a check that no damage fails checks nothing.
"""

from __future__ import annotations

import inspect
import math
import types

import pytest
import torch

from wetware.kernels import Refused, lif_scan
from wetware.kernels.lif_scan import LIFState, soft_clamp, surrogate
from wetware.kernels.lif_scan import reference as reference_function
from wetware.kernels.lif_scan import walk as walk_module

BACKENDS = lif_scan.names


@pytest.fixture(params=BACKENDS)
def run(request, triton_interpreter):
    def call(*args, **keywords):
        with lif_scan.using(request.param):
            try:
                return lif_scan(*args, **keywords)
            except Refused as refused:
                assert "needs float32" in str(refused)
                return in_single(lif_scan, *args, **keywords)

    call.single = request.param == "numba"
    return call


def in_single(call, *args, **keywords):
    """The same in float32, for a backend that knows nothing wider."""

    def to(value, kind):
        if isinstance(value, torch.Tensor):
            return value.to(kind)
        if isinstance(value, tuple):
            items = [to(item, kind) for item in value]
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        return value

    args, keywords = to(args, torch.float32), {key: to(value, torch.float32) for key, value in keywords.items()}
    return to(call(*args, **keywords), torch.float64)


def wide(*values, grad=False):
    return torch.tensor(values, dtype=torch.float64, requires_grad=grad)


def one(run, currents, v=0.0, s=0.0, decay=0.5, threshold=1.0, gain=1.0, width=1.0, w=None, keep=None, **keywords):
    """One neuron. Scalars may be tensors of one element that ask for a gradient. [T] spikes, [T] membranes, state."""
    vector = lambda x: x if isinstance(x, torch.Tensor) else wide(x)  # noqa: E731
    current = currents if isinstance(currents, torch.Tensor) else wide(*currents)
    state = LIFState(vector(v).reshape(1, 1), vector(s).reshape(1, 1))
    spikes, membranes, state = run(
        current.reshape(1, -1, 1),
        state,
        vector(decay),
        vector(threshold),
        vector(gain),
        None if w is None else vector(w).reshape(1, 1),
        None if keep is None else wide(*keep)[None],
        width=vector(width).detach(),
        **keywords,
    )
    return spikes[0, :, 0], membranes[0, :, 0], LIFState(state.membrane[0, 0], state.spikes[0, 0])


def fast_sigmoid_slope(u, slope):
    return 1.0 / (1.0 + slope * abs(u)) ** 2


# --------------------------------------------------------------------------------------------------------- trajectories


def check_by_hand(run):
    """Binary fractions, so that every number is exact: a spike exactly at threshold, and an overshoot that is kept."""
    #  token       0      1          2           3          4
    #  gain * I    0.5    0.75       3.0         0          0
    #  pre         0.5    1.0        3.0         1.0        0.0
    spikes, membranes, state = one(run, (0.25, 0.375, 1.5, 0.0, 0.0), gain=2.0)
    assert membranes.tolist() == [0.5, 1.0, 3.0, 1.0, 0.0]
    assert spikes.tolist() == [0, 1, 1, 1, 0]
    assert state == (0.0, 0.0)


def check_overshoot(run):
    _, _, state = one(run, (3.5,), threshold=0.75)
    assert state == (2.75, 1.0)
    _, membranes, state = one(run, (0.0, 0.0), v=5.0, threshold=0.75)
    assert membranes.tolist() == [2.5, 0.875] and state == (0.125, 1.0)


def check_tie(run):
    """At the threshold a neuron fires; at the next number below, of whichever type, it does not."""
    bits = 24 if getattr(run, "single", False) else 53
    below, above = 1.0 - 2.0**-bits, 1.0 + 2.0 ** (1 - bits)
    assert one(run, (1.0,))[0].tolist() == [1.0]
    assert one(run, (below,))[0].tolist() == [0.0]
    assert one(run, (below,))[2].membrane == below
    assert one(run, (above,))[0].tolist() == [1.0]


def check_negative(run):
    """No floor: a membrane may be negative, and decays towards zero."""
    _, membranes, state = one(run, (-1.0, 0.0, 0.0))
    assert membranes.tolist() == [-1.0, -0.5, -0.25] and state == (-0.25, 0.0)


def check_recurrence(run):
    """Row = presynaptic: neuron 0 fires and drives neuron 1 one token later, not itself, and the gain does not touch it."""
    current = torch.zeros(1, 3, 2, dtype=torch.float64)
    current[0, 0, 0] = 1.0
    current.requires_grad_()
    weights = wide(0.0, 0.75, 0.0, 0.0).reshape(2, 2).requires_grad_()
    state = LIFState(torch.zeros(1, 2).double(), torch.zeros(1, 2).double())
    half = wide(0.5, 0.5)
    _, membranes, _ = run(current, state, half, wide(1.0, 1.0), wide(1.0, 8.0), weights, width=half)
    assert membranes[0].tolist() == [[1.0, 0.0], [0.0, 0.75], [0.0, 0.375]]
    # backwards the same way: the surrogate's peak 1 / width times the weight, to the neuron that fired and to its weight alone
    to_current, to_weights = torch.autograd.grad(membranes[0, 1, 1], (current, weights))
    assert to_current[0].tolist() == [[1.5, 4.0], [0.0, 8.0], [0.0, 0.0]]
    assert to_weights.tolist() == [[0.0, 1.0], [0.0, 0.0]]
    _, membranes, _ = run(
        current[:, :1], state._replace(spikes=wide(1.0, 0.0)[None]), half, half, half, weights, width=half
    )
    assert membranes[0].tolist() == [[0.5, 0.75]]


def check_keep(run):
    """A zero forgets membrane and spikes of before; what follows is as if it had begun there."""
    currents = (0.25, 2.0, 0.125, 1.0)
    _, membranes, state = one(run, currents, v=3.0, s=1.0, w=0.25, keep=(1, 1, 0, 1))
    _, tail, fresh = one(run, currents[2:], w=0.25)
    assert torch.equal(membranes[2:], tail) and state == fresh
    assert membranes.tolist()[:2] == [1.5 + 0.25 + 0.25, 0.5 + 2.0 + 0.25]
    _, first, _ = one(run, currents, v=3.0, s=1.0, w=0.25, keep=(0, 1, 1, 1))
    assert torch.equal(first, one(run, currents, w=0.25)[1])


def check_keep_in_one_row(run):
    """Batch mates are not touched by another's boundary."""
    current = torch.full((2, 2, 1), 0.25, dtype=torch.float64)
    state = LIFState(torch.full((2, 1), 0.5).double(), torch.zeros(2, 1).double())
    keep = torch.tensor([[1.0, 0.0], [1.0, 1.0]]).double()
    _, membranes, _ = run(current, state, wide(0.5), wide(1.0), wide(1.0), None, keep, width=wide(1.0))
    assert membranes[..., 0].tolist() == [[0.5, 0.25], [0.5, 0.5]]


def check_bound(run):
    """The clamp acts on the membrane after reset, and so on what the next token finds; not on the one before reset."""
    _, membranes, state = one(run, (50.0, 0.0), bound=3.0)
    after = 3.0 * math.tanh(49.0 / 3.0)
    assert membranes[0] == 50.0
    torch.testing.assert_close(membranes[1], wide(0.5 * after)[0])
    torch.testing.assert_close(state.membrane, wide(3.0 * math.tanh((0.5 * after - 1.0) / 3.0))[0])
    assert one(run, (-1e6,), bound=3.0)[2].membrane == -3.0
    assert one(run, (-1e6,), bound=None)[2].membrane == -1e6


def check_one_token(run):
    spikes, membranes, state = one(run, (0.5,), v=1.0, s=1.0, w=0.25)
    assert (spikes.tolist(), membranes.tolist(), tuple(map(float, state))) == ([1.0], [1.25], (0.25, 1.0))


# ------------------------------------------------------------------------------------------------------------ gradients


def check_surrogate(run):
    """ds/d current against the closed form, at u = 0, one ulp below, and on both sides; width and slope in their places."""
    for pre in (1.0, math.nextafter(1.0, 0.0), 0.25, 1.75, -3.0, 40.0):
        for slope, width in ((2.0, 1.0), (25.0, 1.0), (1.3, 0.5), (2.0, 3.0)):
            current, threshold = wide(pre, grad=True), wide(1.0, grad=True)
            spikes, _, _ = one(run, current, threshold=threshold, width=width, slope=slope, gain=1.0)
            spikes.sum().backward()
            expected = fast_sigmoid_slope((pre - 1.0) / width, slope) / width
            rounding = 1e-6 if getattr(run, "single", False) else 1e-12
            torch.testing.assert_close(current.grad, wide(expected), rtol=rounding, atol=0)
            torch.testing.assert_close(threshold.grad, wide(-expected), rtol=rounding, atol=0)


def check_threshold(run):
    """Two paths: -g by the spike, and -s by the amount that the reset subtracts, which stays when the spike is detached."""
    for pre, fired in ((1.5, 1.0), (0.75, 0.0), (1.0, 1.0)):
        g = fast_sigmoid_slope(pre - 1.0, 2.0)
        for through in (0.0, 0.25, 1.0):
            threshold = wide(1.0, grad=True)
            spikes, _, state = one(run, (pre,), threshold=threshold, reset_gradient=through)
            by_spike = torch.autograd.grad(spikes.sum(), threshold, retain_graph=True)[0]
            by_reset = torch.autograd.grad(state.membrane, threshold, retain_graph=True)[0]
            both = torch.autograd.grad(3.0 * spikes.sum() + 5.0 * state.membrane, threshold)[0]
            torch.testing.assert_close(by_spike, wide(-g))
            torch.testing.assert_close(by_reset, wide(-fired + through * g))
            torch.testing.assert_close(both, 3.0 * by_spike + 5.0 * by_reset)


def check_membrane_jacobian(run):
    """dv_t / dv_{t-1} = decay (1 - reset_gradient * threshold * g / width): the decay alone when detached."""
    decay, threshold, width, currents = 0.5, 2.0, 0.5, (1.25, 1.5, 1.75)
    for through in (0.0, 0.5, 1.0):
        before = wide(1.0, grad=True)
        _, membranes, state = one(
            run, currents, v=before, decay=decay, threshold=threshold, width=width, reset_gradient=through
        )
        state.membrane.backward()
        expected = 1.0
        for pre in membranes.tolist():
            g = fast_sigmoid_slope((pre - threshold) / width, 2.0)
            expected *= decay * (1.0 - through * threshold * g / width)
        torch.testing.assert_close(before.grad, wide(expected))
        assert through or before.grad.item() == decay**3


def check_state_in_and_out(run):
    """From the first spikes, through the recurrent weight, to the last membrane and the last spikes."""
    before, weight = wide(1.0, grad=True), wide(0.25, grad=True)
    _, membranes, state = one(run, (0.5,), s=before, w=weight)
    by_membrane = torch.autograd.grad(state.membrane, (before, weight), retain_graph=True)
    assert [float(g) for g in by_membrane] == [0.25, 1.0]
    g = fast_sigmoid_slope(membranes[0].item() - 1.0, 2.0)
    by_spikes = torch.autograd.grad(state.spikes, (before, weight))
    torch.testing.assert_close(torch.cat(by_spikes), wide(0.25 * g, g))
    # and two tokens on: s_0 -> pre_1 -> s_1 -> pre_2, beside the way through the membrane
    before = wide(1.0, grad=True)
    _, membranes, _ = one(run, (0.5, 0.125), s=before, w=0.25)
    membranes[1].backward()
    torch.testing.assert_close(before.grad, wide(0.25 * (0.5 + 0.25 * g)))


def check_decay_and_gain(run):
    """Silent neurons are linear: derivatives by hand."""
    decay, gain, currents = wide(0.5, grad=True), wide(2.0, grad=True), (0.125, 0.25, 0.0625)
    _, membranes, _ = one(run, currents, v=0.25, decay=decay, gain=gain, threshold=100.0)
    membranes[2].backward()
    # pre_2 = d^3 v + gain (d^2 I_0 + d I_1 + I_2)
    torch.testing.assert_close(decay.grad, wide(3 * 0.25 * 0.25 + 2.0 * (2 * 0.5 * 0.125 + 0.25)))
    torch.testing.assert_close(gain.grad, wide(0.25 * 0.125 + 0.5 * 0.25 + 0.0625))


def check_keep_stops_gradients(run):
    currents, before = wide(0.25, 0.5, 0.25, grad=True), wide(0.5, grad=True)
    _, membranes, _ = one(run, currents, v=before, w=0.25, keep=(1, 0, 1))
    grads = torch.autograd.grad(membranes[2], (currents, before))
    assert float(grads[0][0]) == 0.0 and float(grads[1]) == 0.0 and float(grads[0][1]) > 0.0


def check_bound_gradient(run):
    for pre in (0.5, -4.0):
        current = wide(pre, grad=True)
        one(run, current, bound=3.0)[2].membrane.backward()
        torch.testing.assert_close(current.grad, wide(1.0 - math.tanh(pre / 3.0) ** 2))


def check_width_is_constant(run):
    width = wide(1.0, grad=True)
    current = wide(0.5, grad=True)[None, :, None]
    state = LIFState(torch.zeros(1, 1).double(), torch.zeros(1, 1).double())
    spikes, _, _ = run(current, state, wide(0.5), wide(1.0), wide(1.0), width=width)
    assert torch.autograd.grad(spikes.sum(), width, allow_unused=True) == (None,)


CHECKS = {name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_lif_scan(run, check):
    check(run)


# --------------------------------------------------------------------------------------------------------------- pieces


def test_soft_clamp():
    x = torch.linspace(-200.0, 200.0, 401, dtype=torch.float64)
    y = soft_clamp(x, 30.0)
    assert (y.abs() <= 30.0).all() and (y.diff() >= 0).all() and torch.equal(y, -y.flip(0))
    assert abs(float(soft_clamp(wide(1.0), 30.0)) - 1.0) < 4e-4
    assert soft_clamp(x, None) is x


def test_surrogate_has_peak_one_and_mass_two_over_slope():
    u = torch.linspace(-1000.0, 1000.0, 400_001, dtype=torch.float64)
    for slope in (1.3, 2.0, 25.0):
        g = surrogate(u, slope)
        assert float(g.max()) <= 1.0 == float(surrogate(wide(0.0), slope))
        assert abs(float(torch.trapezoid(g, u)) - 2.0 / slope) < 3e-3
        half = (math.sqrt(2.0) - 1.0) / slope
        assert float(surrogate(wide(half), slope)) == pytest.approx(0.5)


def test_the_walk_refuses_integers():
    zeros = torch.zeros(1, 1, 1, dtype=torch.long)
    with lif_scan.using("walk"), pytest.raises(Refused, match="needs floating point, got torch.int64"):
        lif_scan(zeros, LIFState(zeros[0], zeros[0]), *(zeros[0, 0],) * 3, width=zeros[0, 0])


def test_inputs_are_not_written_to(run):
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator).double()  # noqa: E731
    state = LIFState(draw(2, 4), (draw(2, 4) > 0).double())
    arguments = (draw(2, 9, 4), state, draw(4).sigmoid(), draw(4).exp(), draw(4).exp(), draw(4, 4))
    keep = (draw(2, 9) > -1).double()
    tensors = [*arguments[:1], *state, *arguments[2:], keep]
    before = [tensor.clone() for tensor in tensors]
    spikes, membranes, after = run(*arguments, keep, width=arguments[3], bound=2.0)
    kept = [spikes.clone(), membranes.clone(), after.membrane.clone()]
    run(*arguments, keep, width=arguments[3], bound=2.0)
    assert all(map(torch.equal, tensors, before))
    assert all(map(torch.equal, kept, (spikes, membranes, after.membrane)))


# ------------------------------------------------------------------------------------------------------------- mutation

REFERENCE_DAMAGE = [
    (">= threshold)", "> threshold)"),
    ("return through, -through", "return through, through"),
    ("return through, -through.flatten(0, -2).sum(0)", "return through, None"),
    ("/ width, ctx.slope) / width", "/ width, ctx.slope)"),
    ("surrogate((pre - threshold) / width,", "surrogate((pre - threshold),"),
    ("slope * distance.abs()", "slope * distance.relu()"),
    (".square().reciprocal()", ".reciprocal()"),
    ("pre - threshold * resetting", "pre - resetting"),
    ("pre - threshold * resetting", "pre * (1.0 - resetting)"),
    ("threshold * resetting", "(threshold * resetting).detach()"),
    ("reset_gradient * spikes + (1.0 - reset_gradient) * spikes.detach()", "spikes"),
    ("reset_gradient * spikes + (1.0 - reset_gradient) * spikes.detach()", "spikes.detach()"),
    ("spikes @ recurrent", "spikes @ recurrent.T"),
    ("pre + spikes @ recurrent", "pre + gain * (spikes @ recurrent)"),
    ("spikes @ recurrent", "spikes.detach() @ recurrent"),
    ("decay * membrane + gain * now", "decay * (membrane + gain * now)"),
    ("decay * membrane + gain * now", "decay * membrane.detach() + gain * now"),
    ("membrane * keep[:, t, None], spikes * keep[:, t, None]", "membrane * keep[:, t, None], spikes"),
    ("membrane * keep[:, t, None], spikes * keep[:, t, None]", "membrane * keep[:1, t, None], spikes"),
    ("soft_clamp(pre - threshold * resetting, bound)", "soft_clamp(pre, bound) - threshold * resetting"),
    ("all_membranes.append(pre)", "all_membranes.append(membrane)"),
    ("torch.tanh(x / bound)", "(x / bound).clamp(-1, 1)"),
]
WALK_DAMAGE = [
    ("torch.ge(pre, ", "torch.gt(pre, "),
    ("spikes = sending.output(pre, threshold, width, slope)", "spikes = (pre > threshold).to(pre.dtype)"),
    ("value=-reset_gradient", "value=reset_gradient"),
    ("-(slopes * e + spikes * c)", "-(slopes * e)"),
    ("-(slopes * e + spikes * c)", "(slopes * e + spikes * c)"),
    ("p[t] @ recurrent.T", "p[t] @ recurrent"),
    ("c[t] *= clamp[t]", "pass"),
    ("to_membrane *= keep[:, t, None]", "pass"),
    ("e[-1] += d_last", "pass"),
    ("c[-1] = d_membrane", "pass"),
    ("p[t] += d_pre[t]", "pass"),
    ("(p * before).sum((0, 1))", "(p * after).sum((0, 1))"),
]


def damaged(module, function, old, new):
    source = inspect.getsource(module)
    assert old in source, f"the source has changed: {old!r} is gone, and this mutation with it"
    copy = types.ModuleType("damaged")
    exec(compile(source.replace(old, new), "damaged", "exec"), vars(copy))
    return vars(copy)[function]


@pytest.mark.parametrize(
    ("module", "function", "old", "new"),
    [(inspect.getmodule(reference_function), "reference", *pair) for pair in REFERENCE_DAMAGE]
    + [(walk_module, "run", *pair) for pair in WALK_DAMAGE],
)
def test_damage_is_noticed(module, function, old, new):
    run = damaged(module, function, old, new)
    failed = []
    for name, check in CHECKS.items():
        try:
            check(run)
        except (AssertionError, RuntimeError, AttributeError):
            failed.append(name)
    assert failed and len(failed) < len(CHECKS)
