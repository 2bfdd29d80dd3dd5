import copy

import pytest
import torch

import wetware
from wetware.evaluation.inspection import Lesioned, layers_of, lesions
from wetware.modulation import PROGRAMS, dominant

TOKENS = torch.randint(1, 290, (2, 30), generator=torch.Generator().manual_seed(0))


def nothing(_):
    pass


@pytest.fixture(scope="module")
def made(whale):
    return {lesion.name: lesion.make(whale.model) for lesion in lesions(whale.model)}


@torch.inference_mode()
def test_every_lesion_hurts_and_none_touches_the_model(whale, made):
    before = copy.deepcopy(whale.model.state_dict())
    intact = whale.model(TOKENS).logits
    names = {"louder left out", "W_rec = 0", "bridge off", "P shuffled", "decays at most median"}
    assert names | {f"{program} silent" for program in PROGRAMS} == made.keys()
    for name, model in made.items():
        assert not torch.equal(model(TOKENS).logits, intact), name
    assert torch.equal(whale.model(TOKENS).logits, intact)
    for name, tensor in whale.model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@torch.inference_mode()
def test_what_was_taken_is_gone(whale, made):
    layers = layers_of(whale.model)
    for place, program in enumerate(PROGRAMS):
        for layer, activity in zip(layers, made[f"{program} silent"](TOKENS).activity, strict=True):
            mine = dominant(layer.programs) == place
            assert not activity.spikes[..., mine].any()
            assert activity.spikes[..., ~mine].any()
    assert all(layer.recurrent is None for layer in layers_of(made["W_rec = 0"]))
    assert not made["louder left out"].traits
    shuffled = layers_of(made["P shuffled"])[0].programs
    assert not torch.equal(shuffled, layers[0].programs)
    assert torch.equal(shuffled.sort(0).values, layers[0].programs.sort(0).values)
    decays = layers_of(made["bridge off"])[0].params.decay
    torch.testing.assert_close(decays, layers[0].neuron.params().decay)  # as before all modulation
    assert not torch.allclose(decays, layers[0].params.decay)


@torch.inference_mode()
def test_decays_are_cut_at_their_median(whale, made):
    seen = []
    layer = layers_of(made["decays at most median"])[0]
    layer.neuron.register_forward_pre_hook(lambda _, given: seen.append(given[2].decay))
    made["decays at most median"](TOKENS)
    decays = layers_of(whale.model)[0].params.decay
    torch.testing.assert_close(seen[0], decays.clamp_max(float(decays.median())))
    assert float(decays.max()) > float(seen[0].max())


def test_the_table_says_what_was_not_made(whale, subject):
    figures = Lesioned(limit=300).take(whale, nothing)
    assert figures["not_made"] == {}
    row = figures["lesions"][0]
    assert abs(row["bits_per_byte"] - figures["bits_per_byte"] - row["difference"]) < 1e-9
    sam = Lesioned(limit=200).take(subject("real_sam"), nothing)
    assert [row["lesion"] for row in sam["lesions"]] == ["W_rec = 0", "decays at most median"]
    assert "no traits" in Lesioned().table(sam).note
    assert "gene programs" in Lesioned().table(sam).note
    assert Lesioned().refusal(subject("gpt")) is not None


def test_the_intact_figure_is_that_of_the_evaluation(whale):
    from wetware.training import held_out_loss

    score = held_out_loss(whale.model, whale.held_out, whale.tokenizer.token_bytes, limit=300)
    assert abs(Lesioned(limit=300).take(whale, nothing)["bits_per_byte"] - score.bits_per_byte) < 1e-9


@torch.inference_mode()
def test_slow_compartments_are_cut_off_where_there_are_any():
    config = wetware.with_(wetware.tiny("real_sam"), "block.neuron", "TwoCompartmentLIF(weight=0.5)")
    model, text = config.build(), TOKENS % config.vocab_size
    cut = {lesion.name: lesion.make for lesion in lesions(model)}["slow compartments cut off"](model)
    with_weight_0 = wetware.with_(config, "block.neuron.weight", 0.0).build()
    assert torch.equal(cut(text).logits, with_weight_0(text).logits)
    assert not torch.equal(cut(text).logits, model(text).logits)
