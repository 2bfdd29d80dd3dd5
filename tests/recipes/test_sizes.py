"""Recipes that are said to be of one size are: within 2 %."""

import pytest
import torch

import wetware


def count(name):
    run = wetware.recipe(name)
    with torch.device("meta"):
        return run.fitted(run.tokenizer.vocab_size, 0).model.module().parameter_count()


@pytest.mark.parametrize("size", ["mini", "small"])
@pytest.mark.parametrize("peer", ["gpt", "gru", "lstm"])
def test_peers_have_as_many_parameters(peer, size):
    assert abs(count(f"{peer}_{size}") / count(f"real_sam_{size}") - 1) < 0.02
    assert wetware.recipe(f"{peer}_{size}").tokenizer == wetware.recipe(f"real_sam_{size}").tokenizer
