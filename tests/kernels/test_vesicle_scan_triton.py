"""The Triton backend of ``vesicle_scan`` beyond law L3: what it refuses, many small programs, chunks, half a precision, and
that its kernels compile for GPUs, which the interpreter does not show. No GPU is needed, and none is used.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import textwrap

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from wetware.kernels import gpu, vesicle_scan
from wetware.kernels.vesicle_scan import triton as backend
from wetware.kernels.vesicle_scan.cases import USUAL
from wetware.kernels.vesicle_scan.reference import RING, reference, rest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Triton has wheels for Linux only")


def arguments(batch, heads, queries, *, before=0, delay=4, window=None, dtype=torch.float64):
    """Everything that ``vesicle_scan`` takes, by name, after ``before`` tokens."""
    generator = torch.Generator().manual_seed(batch + 10 * queries + 1000 * before)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)  # noqa: E731
    kinetics = torch.tensor(USUAL, dtype=dtype)[:, None] * (1 + 0.1 * torch.tanh(draw(19, heads)))
    state = rest(kinetics, batch, 0, delay)
    if before:
        first = torch.zeros(batch, before, dtype=torch.long)
        _, state = reference(2.0 * draw(batch, heads, before, before), state, kinetics, first, time=0)
    first = torch.arange(before, before + queries).expand(batch, -1) - (window or before + queries) + 1
    return {
        "scores": 2.0 * draw(batch, heads, queries, before + queries),
        "state": state,
        "kinetics": kinetics,
        "first": first.clamp_min(0),
        "time": before,
    }


def run(name, given):
    with vesicle_scan.using(name):
        return vesicle_scan(**given)


def outcome(name, given, weigh=(True, True)):
    """Outputs, and the gradients of a weighing of those that ``weigh`` tells."""
    inputs = {key: given[key].detach().requires_grad_() for key in ("scores", "state", "kinetics")}
    outputs = run(name, given | inputs)
    wave = [torch.linspace(-1.0, 2.0, out.numel()).to(out).view(out.shape) for out in outputs]
    total = sum((out * w).sum() for out, w, counts in zip(outputs, wave, weigh, strict=True) if counts)
    return [*outputs, *torch.autograd.grad(total, list(inputs.values()), materialize_grads=True)]


def assert_agreement(given, weigh=(True, True)):
    for mine, other in zip(outcome("triton", given, weigh), outcome("reference", given, weigh), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-10, rtol=1e-9)


# ------------------------------------------------------------------------------------------------------------- refusals


def reason(given):
    return backend.refuses(**given) or ""


def test_a_call_on_the_cpu_gets_another_backend():
    given = arguments(1, 2, 3, dtype=torch.float32)
    assert "on the CPU and Triton's interpreter is not on (TRITON_INTERPRET=1" in reason(given)
    assert vesicle_scan.explain(**given).split("; ")[1].startswith("triton: refused, the tensors are on the CPU")


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda a: {"kinetics": a["kinetics"].bfloat16()}, "needs float32 or float64, got torch.bfloat16"),
        (lambda a: {"kinetics": a["kinetics"].to("meta")}, "needs cuda, got meta"),
        (lambda a: {"sample": lambda p, ready, i: p * ready}, "release is drawn, which these kernels do not"),
        (lambda a: {"state": a["state"].float()}, "the type of the kinetics, torch.float64, got torch.float32"),
        (lambda a: {"kinetics": a["kinetics"].float(), "state": a["state"].float()}, "shorter one, got torch.float64"),
        (lambda a: {"first": a["first"].int()}, "needs int64 for first, got torch.int32"),
        (lambda a: {"scores": a["scores"].to("meta")}, "device of the kinetics, cpu, got scores on meta"),
        (lambda a: {"scores": a["scores"][:, :, :0]}, "none of them 0 and Q no more than K, got [2, 2, 0, 5]"),
        (lambda a: {"scores": a["scores"][..., :2]}, "Q no more than K, got [2, 2, 3, 2]"),
        (lambda a: {"state": a["state"][:, :, :RING]}, "a delay of 1 or more, got [2, 2, 7, 2]"),
        (lambda a: {"state": a["state"][..., :1]}, "needs a state of [2, 2, 11, 2], got [2, 2, 11, 1]"),
        (lambda a: {"kinetics": a["kinetics"][:18]}, "needs kinetics of [19, 2], got [18, 2]"),
        (lambda a: {"first": a["first"][:1]}, "needs first of [2, 3], got [1, 3]"),
        (lambda a: {"time": -1}, "needs a time of 0 or more, got -1"),
    ],
)
def test_what_it_cannot_take(triton_interpreter, damage, expected):
    given = arguments(2, 2, 3, before=2)
    assert reason(given) == ""
    assert expected in reason(given | damage(given))


def test_what_is_not_there(triton_interpreter, monkeypatch):
    given = arguments(1, 1, 2)
    run("triton", given)
    monkeypatch.setattr(sys.modules[backend.KERNELS], "INTERPRETED", False)
    assert "TRITON_INTERPRET was changed after the kernels were first used" in reason(given)
    monkeypatch.setattr(gpu, "installed", lambda: False)
    assert reason(given) == "triton is not installed"


def test_a_gpu(monkeypatch):
    """Tensors that only say they are on one: as training in bfloat16 gives them, and on a card that is too old."""
    monkeypatch.setitem(sys.modules, backend.KERNELS, None)  # as before the first use
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    with FakeTensorMode(allow_non_fake_inputs=True):
        given = {
            key: torch.empty_like(value, device="cuda") if isinstance(value, torch.Tensor) else value
            for key, value in arguments(2, 2, 3, before=2, dtype=torch.float32).items()
        }
        assert vesicle_scan.explain(**given).startswith("numba: refused, needs tensors on the CPU")
        assert "; triton: chosen; " in vesicle_scan.explain(**given)
        assert reason(given | {"scores": given["scores"].bfloat16()}) == ""
        assert "got first on cpu" in reason(given | {"first": torch.zeros(2, 3, dtype=torch.long)})
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
        assert "needs compute capability 8.0, cuda:0 has (7, 5)" in reason(given)


# ---------------------------------------------------------------------------------------------------------------- walks


@pytest.fixture
def small(triton_interpreter, monkeypatch):
    """Programs of eight lanes, which end in the midst of a head."""
    monkeypatch.setattr(backend, "SIZES_INTERPRETED", {"forward": {"BLOCK": 8}, "backward": {"BLOCK": 8}})


def test_many_programs(small):
    assert_agreement(arguments(2, 2, 6, before=5, window=4))


@pytest.mark.parametrize("span", [1, 3, 7])
def test_stretches_of_any_length(small, monkeypatch, span):
    """Keys are born, and seen for the last time, in the midst of one."""
    monkeypatch.setattr(backend, "_span", lambda queries, rows: span)
    assert_agreement(arguments(1, 1, 7, before=3, window=5))


@pytest.mark.parametrize("delay", [1, 9])
def test_a_ring_of_one_slot_and_one_longer_than_the_chunk(triton_interpreter, delay):
    assert_agreement(arguments(1, 2, 6, before=4, delay=delay))


@pytest.mark.parametrize("weigh", [(True, False), (False, True)])
def test_one_output_alone(triton_interpreter, weigh):
    assert_agreement(arguments(2, 1, 5, before=3, window=4), weigh)


def test_marks_and_notes_take_little_room():
    """Numbers per key that backward keeps: nearly as few as any length of stretches would, and fewer than there are scores."""
    for queries, delay in itertools.product((1, 256, 1024, 4096), (1, 4, 16)):
        rows = RING + delay
        held = [(RING + 1) * span + gpu.blocks_of(queries, span) * rows for span in range(1, queries + 1)]
        mine = held[backend._span(queries, rows) - 1]
        assert mine <= 1.1 * min(held) and (queries < 1024 or mine < 0.9 * queries)


def test_chunks_give_the_same_bits(triton_interpreter):
    given = arguments(2, 2, 9, window=6, dtype=torch.float32)
    whole, last = run("triton", given)
    state = given["state"]
    for start, stop in itertools.pairwise((0, 4, 5, 9)):
        chunk = {"scores": given["scores"][:, :, start:stop, :stop], "first": given["first"][:, start:stop]}
        out, state = run("triton", given | chunk | {"state": state, "time": start})
        assert torch.equal(out, whole[:, :, start:stop, :stop])
    assert torch.equal(state, last)


def test_a_rested_key_adds_exactly_nothing(triton_interpreter):
    given = arguments(1, 3, 12, dtype=torch.float32)
    out, _ = run("triton", given)
    assert torch.equal(out.diagonal(dim1=-2, dim2=-1), given["scores"].diagonal(dim1=-2, dim2=-1))
    assert ((out - given["scores"]).abs() > 1e-3).tril(-1).any()


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_what_is_hidden_is_not_looked_at(triton_interpreter, scale):
    """Neither its score nor the gradient that comes in there; and nothing overflows at the size of the others."""
    given = arguments(1, 2, 6, window=4, dtype=torch.float32)
    place = torch.arange(6)
    seen = ((place <= place[:, None]) & (place > place[:, None] - 4)).expand(1, 2, -1, -1)
    scores = torch.where(seen, scale * given["scores"], torch.nan).requires_grad_()
    rates = given["kinetics"].requires_grad_()
    out, state = run("triton", given | {"scores": scores, "kinetics": rates, "hidden": -torch.inf})
    assert (out[~seen] == -torch.inf).all() and out[seen].isfinite().all() and state.isfinite().all()
    weights = torch.where(seen, 1.0, torch.nan)
    to_scores, to_rates = torch.autograd.grad((out, state), (scores, rates), (weights, torch.ones_like(state)))
    assert to_scores.isfinite().all() and not to_scores[~seen].any() and to_rates.isfinite().all()


def test_strides(triton_interpreter):
    """Nothing that goes in lies as the kernels need it; the gradient of a sum comes with strides of 0."""
    given = arguments(2, 2, 4, before=3)
    loose = {key: torch.stack([value, value], -1)[..., 0] for key, value in given.items() if key != "time"}
    assert not any(value.is_contiguous() for value in loose.values())
    for mine, tight in zip(outcome("triton", given | loose), outcome("triton", given), strict=True):
        assert torch.equal(mine, tight)
    gradients = []
    for name in ("triton", "reference"):
        scores = loose["scores"].detach().requires_grad_()
        out, state = run(name, given | loose | {"scores": scores})
        gradients.append(torch.autograd.grad(out.sum() + state.sum(), scores)[0])
    torch.testing.assert_close(*gradients, atol=1e-10, rtol=1e-9)


def test_scores_of_half_a_precision(triton_interpreter):
    """They are read as they are, and all else is float32; their gradient has their type."""
    given = arguments(2, 2, 5, before=3, dtype=torch.float32)
    half = given | {"scores": given["scores"].bfloat16()}
    for name in ("triton", "reference"):
        mine, exact = outcome(name, half), outcome(name, half | {"scores": half["scores"].float()})
        assert [x.dtype for x in mine] == [torch.float32] * 2 + [torch.bfloat16] + [torch.float32] * 2
        for index, (a, b) in enumerate(zip(mine, exact, strict=True)):
            close = {"atol": 0.02, "rtol": 0.02} if index == 2 else {"atol": 1e-6, "rtol": 1e-6}
            torch.testing.assert_close(a.float(), b, **close)


# ---------------------------------------------------------------------------------------------------------- compilation

COMPILE = """
    import sys
    import wetware.kernels
    assert "triton" not in sys.modules, "the package must import without Triton"
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource
    from wetware.kernels.vesicle_scan import triton as backend, triton_kernels

    whole = {"reach": "*i32", "spans": "*i32", "scores": "*bf16"} | {name: "i32" for name in triton_kernels.NUMBERS}
    for name, sizes in backend.SIZES.items():
        kernel, options = getattr(triton_kernels, name), dict(sizes)
        fixed = {"BLOCK": options.pop("BLOCK")}
        kinds = {a: "constexpr" if a in fixed else whole.get(a, "*fp32") for a in kernel.arg_names}
        made = triton.compile(ASTSource(kernel, kinds, fixed), target=GPUTarget("cuda", 80, 32), options=options).asm
        assert ".target sm_80" in made["ptx"] and "barrier" in made["ttir"]
        print(name)
"""


def test_the_kernels_compile_for_a_gpu(tmp_path, monkeypatch):
    """In a process of its own, without the interpreter."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(COMPILE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["forward", "backward"]
