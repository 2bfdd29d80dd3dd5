"""The Triton backend of ``lif_scan`` beyond law L3: what it refuses, more than one block of everything, both ways to launch,
and that its kernels compile for GPUs, which the interpreter does not show. No GPU is needed, and none is used.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from wetware.kernels import gpu, lif_scan
from wetware.kernels.lif_scan import LIFState
from wetware.kernels.lif_scan import triton as backend

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Triton has wheels for Linux only")
SMALL = {"ROWS": 16, "BLOCK": 32, "INNER": 16}


def arguments(batch, steps, size, *, recurrent=True, keep=True, dtype=torch.float64):
    """Everything that ``lif_scan`` takes, by name."""
    generator = torch.Generator().manual_seed(batch + 100 * steps + 10_000 * size)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)  # noqa: E731
    return {
        "current": draw(batch, steps, size),
        "state": LIFState(draw(batch, size), (draw(batch, size) > 1.0).to(dtype)),
        "decay": torch.sigmoid(draw(size)),
        "threshold": 0.5 + 0.5 * torch.sigmoid(draw(size)),
        "gain": torch.exp(0.1 * draw(size)),
        "recurrent": 0.3 * draw(size, size) / size**0.5 if recurrent else None,
        "keep": (draw(batch, steps) > -1.2).to(dtype) if keep else None,
        "width": 0.5 + torch.sigmoid(draw(size)),
        "slope": 2.0,
        "reset_gradient": 0.5,
        "bound": 3.0,
    }


def run(name, given):
    with lif_scan.using(name):
        spikes, membranes, state = lif_scan(**given)
    return spikes, membranes, *state


def outcome(name, given):
    """Outputs and gradients of everything that has one, under a weighing of the outputs that is the same for all backends."""
    given = dict(given)
    named = ("current", "decay", "threshold", "gain", "recurrent")
    inputs = [given[key] for key in named if given[key] is not None] + list(given["state"])
    inputs = [tensor.detach().requires_grad_() for tensor in inputs]
    rest = iter(inputs)
    given |= {key: next(rest) for key in named if given[key] is not None}
    given["state"] = LIFState(*rest)
    outputs = run(name, given)
    total = sum((out * torch.linspace(-1.0, 2.0, out.numel()).to(out).view(out.shape)).sum() for out in outputs)
    return [*outputs, *torch.autograd.grad(total, inputs, materialize_grads=True)]


def assert_agreement(given):
    for mine, reference in zip(outcome("triton", given), outcome("reference", given), strict=True):
        torch.testing.assert_close(mine, reference, atol=1e-10, rtol=1e-9)


# ------------------------------------------------------------------------------------------------------------- refusals


def reason(given):
    return backend.refuses(**given) or ""


def test_a_call_on_the_cpu_gets_another_backend():
    given = arguments(2, 3, 4)
    assert "on the CPU and Triton's interpreter is not on (TRITON_INTERPRET=1" in reason(given)
    assert lif_scan.explain(**given).split("; ")[1].startswith("triton: refused, the tensors are on the CPU")


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda a: {"current": a["current"].bfloat16()}, "needs float32 or float64, got torch.bfloat16"),
        (lambda a: {"current": a["current"].to("meta")}, "needs cuda, got meta"),
        (lambda a: {"current": a["current"][0]}, r"needs a current of [B, T, N], none of them 0, got [3, 4]"),
        (lambda a: {"current": a["current"][:, :0]}, r"none of them 0, got [2, 0, 4]"),
        (lambda a: {"decay": a["decay"].float()}, "the type of the current, torch.float64, got decay in torch.float32"),
        (lambda a: {"state": LIFState(a["state"][0], a["state"][1].float())}, "got spikes in torch.float32"),
        (lambda a: {"recurrent": a["recurrent"][:3]}, "needs recurrent of [4, 4], got [3, 4]"),
        (lambda a: {"keep": a["keep"].T}, "needs keep of [2, 3], got [3, 2]"),
        (lambda a: {"width": a["width"][:1]}, "needs width of [4], got [1]"),
        (lambda a: {"gain": a["gain"].to("meta")}, "device of the current, cpu, got gain on meta"),
    ],
)
def test_tensors_it_cannot_take(triton_interpreter, damage, expected):
    given = arguments(2, 3, 4)
    assert reason(given) == ""
    assert expected in reason(given | damage(given))


def test_what_is_not_there(triton_interpreter, monkeypatch):
    given = arguments(2, 3, 4)
    run("triton", given)
    monkeypatch.setattr(sys.modules[backend.KERNELS], "INTERPRETED", False)
    assert "TRITON_INTERPRET was changed after the kernels were first used" in reason(given)
    monkeypatch.setattr(gpu, "installed", lambda: False)
    assert reason(given) == "triton is not installed"


def test_a_gpu(monkeypatch):
    """Tensors that only say they are on one."""
    monkeypatch.setitem(sys.modules, backend.KERNELS, None)  # as before the first use
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))

    def there(value):
        if isinstance(value, tuple):
            return LIFState(*map(there, value))
        return torch.empty_like(value, device="cuda") if isinstance(value, torch.Tensor) else value

    with FakeTensorMode(allow_non_fake_inputs=True):
        double, single = (
            {key: there(value) for key, value in arguments(2, 3, 4, dtype=dtype).items()}
            for dtype in (torch.float64, torch.float32)
        )
        assert "recurrent weights in float64 are not supported on a GPU" in reason(double)
        assert reason(double | {"recurrent": None}) == reason(single) == ""
        assert "device of the current, cuda:0, got keep on cpu" in reason(single | {"keep": torch.ones(2, 3)})
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
        assert "needs compute capability 8.0, cuda:0 has (7, 5)" in reason(single)


# --------------------------------------------------------------------------------------------------------------- blocks


def test_blocks_of_neurons_without_recurrence(triton_interpreter):
    assert_agreement(arguments(2, 5, 2 * backend.APART_INTERPRETED["BLOCK"] + 3, recurrent=False))
    assert_agreement(arguments(2, 5, 3, recurrent=False, keep=False) | {"bound": None, "reset_gradient": 0.0})


@pytest.mark.parametrize("together", [True, False], ids=["one-launch", "a-launch-per-token"])
def test_blocks_of_everything(triton_interpreter, monkeypatch, together):
    """More rows, neurons and summands than one block has, none of them a multiple."""
    monkeypatch.setattr(backend, "TOGETHER_INTERPRETED", SMALL)
    monkeypatch.setattr(backend, "BLOCKS_OF_ONE_PROGRAM", 3 if together else 1)
    assert_agreement(arguments(SMALL["ROWS"] + 1, 4, 2 * SMALL["BLOCK"] + 5))


def test_both_ways_to_launch_give_the_same_bits(triton_interpreter, monkeypatch):
    monkeypatch.setattr(backend, "TOGETHER_INTERPRETED", SMALL)
    given = arguments(2, 6, 40, dtype=torch.float32)
    one = outcome("triton", given)
    again = outcome("triton", given)
    monkeypatch.setattr(backend, "BLOCKS_OF_ONE_PROGRAM", 1)
    each = outcome("triton", given)
    assert all(map(torch.equal, one, again)) and all(map(torch.equal, one, each))


@pytest.mark.parametrize("recurrent", [True, False])
def test_chunks_give_the_same_bits(triton_interpreter, recurrent):
    given = arguments(2, 7, 5, recurrent=recurrent, dtype=torch.float32)
    whole = run("triton", given)
    parts, state = [], given["state"]
    for tokens in (slice(0, 3), slice(3, 4), slice(4, 7)):
        chunk = {"current": given["current"][:, tokens], "keep": given["keep"][:, tokens], "state": state}
        *out, membrane, last = run("triton", given | chunk)
        parts.append(out)
        state = LIFState(membrane, last)
    assert all(map(torch.equal, whole, (*(torch.cat(pieces, 1) for pieces in zip(*parts, strict=True)), *state)))


@pytest.mark.parametrize("recurrent", [True, False])
def test_strides(triton_interpreter, recurrent):
    """Nothing that goes in lies as the kernels need it; the gradient of a sum comes with strides of 0."""
    given = arguments(3, 4, 5, recurrent=recurrent)
    wide = lambda x: None if x is None else torch.stack([x, x + 7.0], -1)[..., 0]  # noqa: E731
    loose = {key: wide(given[key]) for key in ("decay", "threshold", "gain", "width", "keep", "recurrent")}
    loose["current"] = given["current"].permute(2, 0, 1).contiguous().permute(1, 2, 0)
    loose["state"] = LIFState(*(x.T.contiguous().T for x in given["state"]))
    assert not any(tensor.is_contiguous() for tensor in (loose["current"], *loose["state"], loose["keep"]))
    for mine, tight in zip(outcome("triton", given | loose), outcome("triton", given), strict=True):
        assert torch.equal(mine, tight)
    gradients = []
    for name in ("triton", "reference"):
        current = loose["current"].detach().requires_grad_()
        spikes, membranes, *_ = run(name, given | loose | {"current": current})
        gradients.append(torch.autograd.grad(spikes.sum() + membranes.sum(), current)[0])
    torch.testing.assert_close(*gradients, atol=1e-10, rtol=1e-9)


@pytest.mark.parametrize("recurrent", [True, False])
def test_keep_at_the_first_token(triton_interpreter, recurrent):
    given = arguments(3, 4, 5, recurrent=recurrent)
    given["keep"] = torch.tensor([[0, 1, 1, 0], [1, 1, 0, 1], [0, 0, 1, 1]]).double()
    assert_agreement(given)
    state = LIFState(*(tensor.requires_grad_() for tensor in given["state"]))
    outputs = run("triton", given | {"keep": given["keep"].bool(), "state": state})
    assert all(map(torch.equal, outputs, run("triton", given)))
    sum(out.sum() for out in outputs).backward()
    for to_state in (state.membrane.grad, state.spikes.grad):
        assert not to_state[[0, 2]].any() and to_state[1].any() == (recurrent or to_state is state.membrane.grad)


def test_gradients_that_come_in_are_not_written_to(triton_interpreter):
    given = arguments(2, 3, 4)
    outputs = run("triton", given | {"current": given["current"].requires_grad_()})
    gradients = [torch.full_like(out, 0.5) for out in outputs]
    torch.autograd.grad(outputs, given["current"], gradients)
    assert all((gradient == 0.5).all() for gradient in gradients)


# -------------------------------------------------------------------------------------------------------------- numbers


def test_the_clamp_at_any_size(triton_interpreter):
    """The membrane after reset to a few units in the last place, from 1e-30 to infinity, and NaN is not hidden."""
    sizes = [*torch.logspace(-30, 17, 95).tolist(), 19.9 * 3.0, 20.1 * 3.0]
    current = torch.tensor([[[-x, x] for x in sizes]]).view(1, 1, -1).requires_grad_()
    size = current.shape[-1]
    ones, zeros = torch.ones(size), torch.zeros(1, size)
    given = {"state": LIFState(zeros, zeros), "decay": ones, "gain": ones, "width": ones, "bound": 3.0}
    given["threshold"] = torch.full_like(ones, 3e17)
    after = run("triton", given | {"current": current})[2]
    expected = 3.0 * torch.tanh(current[:, 0].double() / 3.0)
    torch.testing.assert_close(after.double(), expected, rtol=5e-7, atol=0)
    assert torch.autograd.grad(after.sum(), current)[0].isfinite().all()
    for beyond, expected in ((-torch.inf, -3.0), (torch.inf, 3.0), (torch.nan, torch.nan)):
        _, pre, after, _ = run("triton", given | {"current": torch.full((1, 1, size), beyond)})
        torch.testing.assert_close(pre, torch.full_like(pre, beyond), equal_nan=True)
        torch.testing.assert_close(after, torch.full_like(after, expected), equal_nan=True)


def test_a_longer_run_up_to_the_first_flip(triton_interpreter):
    """In float32, 2 x 160 x 48: where a spike first differs from the reference, the membrane stands at its threshold."""
    given = arguments(2, 160, 48, dtype=torch.float32) | {"reset_gradient": 0.0, "bound": 30.0}
    spikes, membranes, *_ = run("triton", given)
    other_spikes, others, *_ = run("reference", given)
    flips = (spikes != other_spikes).any(0).any(-1).nonzero()
    first = int(flips[0]) if len(flips) else spikes.shape[1]
    torch.testing.assert_close(membranes[:, : first + 1], others[:, : first + 1], atol=1e-5, rtol=0)
    flipped = (spikes != other_spikes)[:, first : first + 1]
    distance = (others - given["threshold"])[:, first : first + 1][flipped]
    assert (distance.abs() < 1e-5).all()
    assert first >= 32 and 0.02 < spikes.mean() < 0.6


# ---------------------------------------------------------------------------------------------------------- compilation

COMPILE = """
    import sys
    import wetware.kernels
    assert "triton" not in sys.modules, "the package must import without Triton"
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource
    from wetware.kernels.lif_scan import triton as backend, triton_kernels

    numbers = {"batch", "steps", "size", "begin", "end"}
    for name, sizes in ("apart", backend.APART), ("together", backend.TOGETHER):
        for kernel in (getattr(triton_kernels, f"{way}_{name}") for way in ("forward", "backward")):
            fixed = {**sizes, "BOUNDED": True}
            warps = fixed.pop("num_warps")
            kinds = {a: "constexpr" if a in fixed else "i32" if a in numbers else "*fp32" for a in kernel.arg_names}
            source = ASTSource(kernel, kinds, fixed)
            made = triton.compile(source, target=GPUTarget("cuda", 80, 32), options={"num_warps": warps}).asm
            # in the first form that is made, as the compiler adds barriers of its own later
            assert "tf32" not in made["ptx"] and made["ttir"].count("barrier") == (name == "together"), made["ttir"]
            print(kernel.__name__)
"""


def test_the_kernels_compile_for_a_gpu(tmp_path, monkeypatch):
    """In a process of its own, without the interpreter: full float32 in the products, a barrier where tokens need one."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(COMPILE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["forward_apart", "backward_apart", "forward_together", "backward_together"]
