"""Every trait in models of other types of number."""

import pytest
import torch

import wetware
from wetware.config import kinds, snake, with_
from wetware.traits import TraitConfig

TRAITS = {name: kind for name, kind in kinds(TraitConfig).items() if kind.__module__.startswith("wetware.")}


@pytest.mark.parametrize("name", TRAITS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@torch.no_grad()
def test_a_model_with_it_can_be_cast(name, dtype):
    model = with_(wetware.tiny("spikewhale"), f"traits.{snake(name)}", TRAITS[name]()).build().to(dtype)
    output = model(torch.arange(20)[None])
    assert output.logits.isfinite().all()
    assert model.step(torch.tensor([3]), output.state).logits.dtype == torch.promote_types(dtype, torch.float32)
