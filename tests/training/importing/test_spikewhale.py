"""A checkpoint of SpikeWhale-SNN, imported, computes what its equations say."""

from __future__ import annotations

import json

import pytest
import torch

import wetware
from wetware.config import ConfigError, from_dict, to_dict
from wetware.data.length_max import ALGORITHM
from wetware.training import CheckpointError
from wetware.training.importing import import_spikewhale

from .conftest import DEPTH, VOCAB, WIDTH, checkpoint, logits_of

TOKENS = torch.randint(0, VOCAB, (40,), generator=torch.Generator().manual_seed(3)).tolist()


def ours(found) -> torch.Tensor:
    with torch.inference_mode():
        return found.model(torch.tensor([TOKENS])).logits[0].double()


def ours_activity(found) -> torch.Tensor:
    with torch.inference_mode():
        activity = found.model(torch.tensor([TOKENS])).activity
    return torch.stack([layer.spikes.mean() for layer in activity])


def test_the_logits_are_those_of_the_equations(written):
    data = checkpoint()
    found = import_spikewhale(written(data))
    rates = ours_activity(found)
    assert bool(((rates > 0.05) & (rates < 0.95)).all()), "a silent network would agree with anything"
    torch.testing.assert_close(ours(found), logits_of(data, TOKENS), atol=2e-5, rtol=0)
    assert found.tokenizer is None
    assert found.left == {"engram.table": (50, 4)}
    assert any("use_engram" in note and "use_moe" not in note for note in found.notes)


def test_it_is_saved_and_loaded_again(written, tmp_path):
    found = import_spikewhale(written(checkpoint()))
    folder = wetware.save(found.model, tmp_path / "whale", imported={"notes": list(found.notes)})
    again, _ = wetware.load(folder)
    assert torch.equal(again(torch.tensor([TOKENS])).logits[0].double(), ours(found))
    assert from_dict(to_dict(found.model.config)) == found.model.config
    with pytest.raises(ConfigError, match=r"only in the checkpoint"):
        found.model.config.build()


def test_the_readout_may_leak(written):
    data = checkpoint()
    data["config"]["readout_decay"] = 0.4
    torch.testing.assert_close(
        ours(import_spikewhale(written(data))), logits_of(data, TOKENS, rho=0.4), atol=2e-5, rtol=0
    )


def test_the_input_gain_is_the_users_else_the_files(written):
    data = checkpoint()
    given = ours(import_spikewhale(written(data), input_gain=2.0))
    data["config"]["family"]["spike_input_gain"] = 2.0
    torch.testing.assert_close(ours(import_spikewhale(written(data))), given)
    torch.testing.assert_close(given, logits_of(data, TOKENS, gain=2.0), atol=2e-5, rtol=0)


def test_recurrent_rows_are_turned_only_where_they_should_be(written):
    data, expected = checkpoint(), logits_of(checkpoint(), TOKENS)
    turned = import_spikewhale(written(data), recurrent_rows="presynaptic")
    assert (ours(turned) - expected).abs().max() > 1e-2
    state = data["model_state_dict"]
    for layer in range(DEPTH):  # a plain parameter: s @ W
        state[f"layers.{layer}.W_rec"] = state.pop(f"layers.{layer}.fc_rec.weight").T.contiguous()
    torch.testing.assert_close(ours(import_spikewhale(written(data))), expected, atol=2e-5, rtol=0)


def test_plain_input_matrices_arrays_and_shared_modules(written):
    """Other layouts of the same network: x @ W parameters, P as an array, one bridge listed in every layer, a tied head."""
    data, expected = checkpoint(), logits_of(checkpoint(), TOKENS)
    state = data["model_state_dict"]
    data["modulation"]["P"] = data["modulation"]["P"].numpy()
    for layer in range(DEPTH):
        state[f"lifs.{layer}.w_in"] = state.pop(f"layers.{layer}.fc_in.weight").T.contiguous()
        for name in ("thr_gain", "beta_gain", "in_gain"):
            state[f"layers.{layer}.modulation.{name}"] = state[f"modulation.{name}"]
    for name in ("thr_gain", "beta_gain", "in_gain"):
        del state[f"modulation.{name}"]
    state["head.weight"] = state["embedding.weight"]
    found = import_spikewhale(written(data))
    torch.testing.assert_close(ours(found), expected, atol=2e-5, rtol=0)
    assert set(found.left) == {"engram.table"}


def test_names_can_be_said(written):
    data, expected = checkpoint(), logits_of(checkpoint(), TOKENS)
    state = data["model_state_dict"]
    for layer in range(DEPTH):
        state[f"stage{layer}.R.weight"] = state.pop(f"layers.{layer}.fc_rec.weight")
    path = written(data)
    assert import_spikewhale(path).model.config.recurrence is None  # nothing looks recurrent: it may have none
    found = import_spikewhale(path, ["layers.{N}.fc_rec=stage{N}.R.weight"])
    torch.testing.assert_close(ours(found), expected, atol=2e-5, rtol=0)
    with pytest.raises(ConfigError, match=r"layers\.\{N\}\.fc_rek.*did you mean"):
        import_spikewhale(path, ["layers.{N}.fc_rek=stage{N}.R.weight"])
    with pytest.raises(ConfigError, match=r"the file has no 'stage\{N\}\.Q'"):
        import_spikewhale(path, ["layers.{N}.fc_rec=stage{N}.Q"])


def test_without_modulation_all_neurons_are_alike(written):
    data = checkpoint()
    for name in ("thr_gain", "beta_gain", "in_gain"):
        data["model_state_dict"][f"modulation.{name}"].zero_()
    expected = logits_of(data, TOKENS)
    data["modulation"] |= {"P": None, "enabled": False}
    found = import_spikewhale(written(data))
    assert found.model.config.modulators == ()
    torch.testing.assert_close(ours(found), expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("name", ["embedding.weight", "layers.1.fc_in.weight", "readout.weight", "modulation.thr_gain"])
def test_a_missing_tensor_is_refused(name, written):
    data = checkpoint()
    del data["model_state_dict"][name]
    with pytest.raises(CheckpointError, match=r"no tensor was found for .*--name"):
        import_spikewhale(written(data))


def test_one_layer_without_recurrent_weights_is_refused(written):
    data = checkpoint()
    del data["model_state_dict"]["layers.1.fc_rec.weight"]
    with pytest.raises(CheckpointError, match=r"layers\.1\.fc_rec"):
        import_spikewhale(written(data))


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("embedding.weight", (VOCAB, 7), "should be"),
        ("layers.2.fc_in.weight", (WIDTH, WIDTH + 1), "should be"),
        ("readout.weight", (6, WIDTH), "should be"),
        ("modulation.beta_gain", (6,), "should be"),
        ("layers.3.fc_in.weight", (WIDTH, WIDTH), "num_layers is 3"),
        ("tok_emb.weight", (VOCAB, 6), "could both be 'table'"),
    ],
)
def test_wrong_shapes_and_extra_layers_are_refused(name, shape, words, written):
    data = checkpoint()
    data["model_state_dict"][name] = torch.ones(shape)
    with pytest.raises(CheckpointError, match=words):
        import_spikewhale(written(data))


def change_p(data):
    data["modulation"]["P"] = torch.ones(WIDTH, 17)


def short_p(data):
    data["modulation"]["P"] = torch.ones(WIDTH + 1, 18)


def nan_table(data):
    data["model_state_dict"]["embedding.weight"][3, 2] = float("nan")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: data.pop("config"), "has no 'config'"),
        (lambda data: data.pop("model_state_dict"), "has no 'model_state_dict'"),
        (lambda data: data["config"].pop("hidden"), r"config\.hidden = None"),
        (lambda data: data["config"].update(num_layers=0), r"config\.num_layers = 0"),
        (lambda data: data["config"].update(tie_embeddings=False), "tie_embeddings"),
        (lambda data: data["modulation"].update(base_beta="high"), "base_beta = 'high'"),
        (change_p, "17 columns"),
        (short_p, r"modulation\.P is \[11, 18\]"),
        (nan_table, "finite"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(spoil, words, written):
    data = checkpoint()
    spoil(data)
    with pytest.raises(CheckpointError, match=words) as refused:
        import_spikewhale(written(data))
    assert "\n" not in str(refused.value)


def described(size=259):
    """A tokenizer as the file brings it: its special token, every byte, and two words."""
    vocabulary = {"<bos>": 0, **{chr(byte): byte + 1 for byte in range(256)}, "the": 257, "of": 258}
    special = {"<bos>": 0}
    return {
        "vocab": vocabulary,
        "vocab_size": size,
        "max_token_len": 3,
        "algorithm": ALGORITHM,
        "special_tokens": special,
    }


@pytest.mark.parametrize("form", [lambda data: data, json.dumps])
def test_its_tokenizer_comes_along(form, written, tmp_path):
    data = checkpoint()
    data["config"]["vocab_size"] = 259
    data["model_state_dict"]["embedding.weight"] = torch.ones(259, 6)
    data["vocab"]["tokenizer_json"] = form(described())
    found = import_spikewhale(written(data))
    assert found.tokenizer.encode("the") == [257]
    assert found.model.config.boundary == found.tokenizer.boundary == 0
    _, again = wetware.load(wetware.save(found.model, tmp_path / "whale", found.tokenizer))
    assert again.encode("of the") == found.tokenizer.encode("of the")


@pytest.mark.parametrize("tokenizer", [described(300), {"algorithm": "other"}, "no json", 3])
def test_a_tokenizer_that_does_not_fit_is_left_with_a_note(tokenizer, written):
    data = checkpoint()
    data["vocab"]["tokenizer_json"] = tokenizer
    found = import_spikewhale(written(data))
    assert found.tokenizer is None
    assert any("reads token ids only" in note for note in found.notes)
