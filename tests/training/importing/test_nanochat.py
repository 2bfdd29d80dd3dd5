"""nanochat's tensors are read as the same function; what would be another one is refused by its name."""

import json

import pytest
import torch

from wetware.config import ConfigError
from wetware.data import Bytes
from wetware.models.gpt import TiedHead, UntiedHead
from wetware.training import CheckpointError
from wetware.training.importing import import_nanochat

VOCAB, WIDTH, DEPTH, HEADS, HIDDEN = 37, 24, 3, 3, 96
TOKENS = torch.tensor([[3, 7, 1, 22, 5, 5, 0, 9, 36, 2, 2, 14], [0, 0, 31, 8, 8, 8, 1, 30, 12, 4, 4, 19]])


def checkpoint(prefix="", dtype=torch.float32, hidden=HIDDEN):
    """Random tensors under nanochat's names; large enough that every part of the function shows."""
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape, scale: (scale * torch.randn(*shape, generator=generator)).to(dtype)  # noqa: E731
    state = {"transformer.wte.weight": draw(VOCAB, WIDTH, scale=1.0)}
    for layer in range(DEPTH):
        name = f"transformer.h.{layer}"
        for part in ("c_q", "c_k", "c_v", "c_proj"):
            state[f"{name}.attn.{part}.weight"] = draw(WIDTH, WIDTH, scale=1.5 * WIDTH**-0.5)
        state[f"{name}.mlp.c_fc.weight"] = draw(hidden, WIDTH, scale=WIDTH**-0.5)
        state[f"{name}.mlp.c_proj.weight"] = draw(WIDTH, hidden, scale=hidden**-0.5)
    state["lm_head.weight"] = draw(VOCAB, WIDTH, scale=2.0 * WIDTH**-0.5)
    return {prefix + name: tensor for name, tensor in state.items()}


def rms(x):
    return x / (x.square().mean(-1, keepdim=True) + torch.finfo(x.dtype).eps).sqrt()


def turned(x, place):
    """One head's vector at one place."""
    half = len(x) // 2
    angles = place / 10_000.0 ** (2 * torch.arange(half).double() / len(x))
    x1, x2 = x[:half], x[half:]
    return torch.cat([x1 * angles.cos() + x2 * angles.sin(), -x1 * angles.sin() + x2 * angles.cos()])


def logits_of(state, tokens, heads=HEADS):
    """[T, V] in float64, by the formulae alone: a token, a head and a key at a time."""
    w = {name: tensor.double() for name, tensor in state.items()}
    xs = [rms(w["transformer.wte.weight"][token]) for token in tokens]
    for layer in range(DEPTH):
        name = f"transformer.h.{layer}"
        q, k, v = ([w[f"{name}.attn.c_{part}.weight"] @ rms(x) for x in xs] for part in "qkv")
        size = WIDTH // heads
        mixed = []
        for place in range(len(xs)):
            parts = []
            for head in range(heads):
                cut = slice(head * size, (head + 1) * size)
                query = rms(turned(q[place][cut], place))
                keys = [rms(turned(k[other][cut], other)) for other in range(place + 1)]
                shares = torch.stack([query @ key / size**0.5 for key in keys]).softmax(0)
                parts.append(sum(share * v[other][cut] for other, share in enumerate(shares)))
            mixed.append(w[f"{name}.attn.c_proj.weight"] @ torch.cat(parts))
        xs = [x + more for x, more in zip(xs, mixed, strict=True)]
        up, down = w[f"{name}.mlp.c_fc.weight"], w[f"{name}.mlp.c_proj.weight"]
        xs = [x + down @ (up @ rms(x)).clamp_min(0) ** 2 for x in xs]
    return torch.stack([15 * torch.tanh(w["lm_head.weight"] @ rms(x) / 15) for x in xs])


@pytest.fixture
def written(tmp_path):
    def write(state, meta=None):
        torch.save(state, tmp_path / "model_000120.pt")
        if meta is not None:
            (tmp_path / "meta_000120.json").write_text(json.dumps(meta))
        return tmp_path / "model_000120.pt"

    return write


def double_logits(model):
    with torch.inference_mode():
        return model.double()(TOKENS).logits


@pytest.mark.parametrize("prefix", ["", "_orig_mod.", "module._orig_mod."])
def test_same_function(prefix, written):
    found = import_nanochat(written(checkpoint(prefix)), heads=HEADS)
    expected = torch.stack([logits_of(checkpoint(), row) for row in TOKENS])
    assert expected.abs().max() > 3
    torch.testing.assert_close(double_logits(found.model), expected, atol=1e-9, rtol=0)
    assert isinstance(found.model.config.head, UntiedHead)
    assert found.tokenizer is None
    assert len(found.sources) == 6 * DEPTH + 2


def test_the_rotation_matters(written):
    """The test above could not pass by chance: unturned rows say something else."""
    state = checkpoint()
    found = import_nanochat(written(state), heads=HEADS)
    found.model.blocks[0].attention.query.weight.data = state["transformer.h.0.attn.c_q.weight"]
    expected = torch.stack([logits_of(state, row) for row in TOKENS])
    assert (double_logits(found.model) - expected).abs().max() > 0.01


def test_meta_gives_heads_and_other_forms_are_read(written):
    meta = {"step": 120, "model_config": {"n_head": HEADS, "n_kv_head": HEADS, "n_layer": DEPTH, "sequence_len": 64}}
    state = checkpoint(dtype=torch.bfloat16, hidden=50)  # 50 / 24 is no short number
    state["cos"] = torch.ones(4)
    state["lm_head.weight"] = state["transformer.wte.weight"]
    found = import_nanochat(written({"model": state}, meta))
    assert isinstance(found.model.config.head, TiedHead)
    assert found.model.config.attention.heads == HEADS
    expected = torch.stack([logits_of(state, row) for row in TOKENS])
    torch.testing.assert_close(double_logits(found.model), expected, atol=1e-9, rtol=0)
    assert any("64 tokens" in note for note in found.notes)
    assert any("bfloat16" in note for note in found.notes)


def changed(**tensors):
    return {**checkpoint(), **tensors}


def without(name):
    return {key: value for key, value in checkpoint().items() if key != name}


QUERY, KEY = "transformer.h.1.attn.c_q.weight", "transformer.h.1.attn.c_k.weight"
REFUSED = {
    "synaptic": ({"model": changed(**{"h.0.mlp.fc.w_slow": torch.ones(2, 2)})}, "synaptic variant"),
    "a tensor more": (changed(resid_lambdas=torch.ones(3)), "'resid_lambdas'"),
    "a tensor less": (without(QUERY), "lacks 'transformer.h.1.attn.c_q.weight'"),
    "fewer key heads": (changed(**{KEY: torch.ones(8, WIDTH)}), "fewer key heads"),
    "another shape": (changed(**{QUERY: torch.ones(WIDTH, 5)}), "should be"),
    "not finite": (changed(**{QUERY: torch.full((WIDTH, WIDTH), torch.nan)}), "finite"),
    "something else": ({"layers.0.weight": torch.ones(2)}, "no checkpoint of nanochat"),
    "no tensors": ({"config": {"depth": 3}}, "no checkpoint of nanochat"),
    "no block": ({name: checkpoint()[name] for name in ("transformer.wte.weight", "lm_head.weight")}, "lacks"),
}


@pytest.mark.parametrize(("state", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_another_function_is_refused(state, message, written):
    with pytest.raises(CheckpointError, match=message):
        import_nanochat(written(state), heads=HEADS)


def test_heads_must_be_known_and_agree(written):
    path = written(checkpoint())
    with pytest.raises(ConfigError, match="--heads N"):
        import_nanochat(path)
    with pytest.raises(ConfigError, match="multiple of"):
        import_nanochat(path, heads=5)
    with pytest.raises(ConfigError, match="257 tokens"):
        import_nanochat(path, heads=HEADS, tokenizer=Bytes().train([]))
    path = written(checkpoint(), {"model_config": {"n_head": HEADS}})
    with pytest.raises(ConfigError, match="says 3"):
        import_nanochat(path, heads=4)
    for wrong, message in (({"n_kv_head": 1}, "n_kv_head"), ({"window_pattern": "SSL"}, "window_pattern")):
        path = written(checkpoint(), {"model_config": {"n_head": HEADS, **wrong}})
        with pytest.raises(CheckpointError, match=message):
            import_nanochat(path)


def test_a_tokenizer_that_fits_is_kept(written, monkeypatch):
    monkeypatch.setitem(globals(), "VOCAB", 257)
    found = import_nanochat(written(checkpoint()), heads=HEADS, tokenizer=Bytes().train([]))
    assert found.tokenizer.vocab_size == found.model.config.vocab_size == 257
    assert found.model.config.boundary == 0
    assert not any("tokenizer" in note for note in found.notes)
    expected = logits_of(checkpoint(), TOKENS[0])  # six tokens of one document
    torch.testing.assert_close(double_logits(found.model)[0, :6], expected[:6], atol=1e-9, rtol=0)
