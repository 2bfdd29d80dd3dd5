"""A small checkpoint in the layout of SpikeWhale-SNN, and its equations written out again, token by token."""

from __future__ import annotations

import math
from collections import OrderedDict

import numpy as np
import pytest
import torch

VOCAB, EMBEDDING, WIDTH, DEPTH, COLUMNS = 23, 6, 10, 3, 18


def checkpoint(seed: int = 0) -> dict:
    """Linear layers with biases everywhere, and a family that is on."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape, scale=1.0: scale * torch.randn(*shape, generator=generator)  # noqa: E731
    state = OrderedDict()
    state["embedding.weight"] = draw(VOCAB, EMBEDDING, scale=0.8)
    for layer in range(DEPTH):
        inputs = EMBEDDING if layer == 0 else WIDTH
        state[f"layers.{layer}.fc_in.weight"] = draw(WIDTH, inputs, scale=1.2 * inputs**-0.5)
        state[f"layers.{layer}.fc_in.bias"] = draw(WIDTH, scale=0.2)
        state[f"layers.{layer}.fc_rec.weight"] = draw(WIDTH, WIDTH, scale=0.5 * WIDTH**-0.5)
        state[f"layers.{layer}.fc_rec.bias"] = draw(WIDTH, scale=0.1)
    state["readout.weight"] = draw(EMBEDDING, DEPTH * WIDTH, scale=0.3)
    state["readout.bias"] = draw(EMBEDDING, scale=0.1)
    for name in ("thr_gain", "beta_gain", "in_gain"):
        state[f"modulation.{name}"] = draw(COLUMNS, scale=0.15)
    state["engram.table"] = draw(50, 4)
    return {
        "vocab": {"tokenizer_json": None},
        "modulation": {
            "P": draw(WIDTH, COLUMNS),
            "enabled": True,
            "hidden": WIDTH,
            "base_threshold": 1.1,
            "base_beta": 0.88,
        },
        "config": {
            "vocab_size": VOCAB,
            "emb_dim": EMBEDDING,
            "hidden": WIDTH,
            "readout_decay": 0.0,
            "num_layers": DEPTH,
            "tie_embeddings": True,
            "family": {"use_engram": True, "use_moe": False},
        },
        "model_state_dict": state,
    }


def logits_of(data: dict, tokens: list[int], rho: float = 0.0, gain: float = 1.0) -> torch.Tensor:
    """[T, V] in float64, by the equations alone; ``gain``: of the spikes into the layers above the first."""
    state = {name: tensor.double() for name, tensor in data["model_state_dict"].items()}
    modulation = data["modulation"]
    P = torch.as_tensor(np.asarray(modulation["P"])).double()
    base = math.log(modulation["base_beta"] / (1 - modulation["base_beta"]))
    threshold = (modulation["base_threshold"] * torch.exp(P @ state["modulation.thr_gain"])).clamp(0.25, 3.0)
    beta = torch.sigmoid(base + P @ state["modulation.beta_gain"]).clamp(0.5, 0.97)
    drive = torch.exp(P @ state["modulation.in_gain"]).clamp(0.3, 3.0)
    v, s = [torch.zeros(WIDTH).double() for _ in range(DEPTH)], [torch.zeros(WIDTH).double() for _ in range(DEPTH)]
    r, found = torch.zeros(DEPTH * WIDTH).double(), []
    for token in tokens:
        x, features = state["embedding.weight"][token], []
        for layer in range(DEPTH):
            weight, bias = state[f"layers.{layer}.fc_in.weight"], state[f"layers.{layer}.fc_in.bias"]
            current = (gain if layer else 1.0) * (weight @ x) + bias
            recurrent = state[f"layers.{layer}.fc_rec.weight"] @ s[layer] + state[f"layers.{layer}.fc_rec.bias"]
            pre = beta * v[layer] + drive * current + recurrent
            s[layer] = (pre >= threshold).double()
            v[layer] = 30 * torch.tanh((pre - threshold * s[layer]) / 30)
            x = s[layer]
            features.append(torch.tanh(pre))
        r = rho * r + (1 - rho) * torch.cat(features)
        z = state["readout.weight"] @ r + state["readout.bias"]
        found.append(state["embedding.weight"] @ z)
    return torch.stack(found)


@pytest.fixture
def written(tmp_path):
    """``written(data)``: the path of a file with it."""

    def write(data, name="model.pth"):
        torch.save(data, tmp_path / name)
        return tmp_path / name

    return write
