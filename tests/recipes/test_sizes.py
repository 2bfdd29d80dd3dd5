"""Recipes that are said to be of one size are: within 2 %."""

import pytest
import torch

import wetware


def count(name):
    """As listed; a run then has as many, because the model is made for the size of its tokenizer."""
    run = wetware.recipe(name)
    assert run.model.vocab_size == run.tokenizer.vocab_size
    with torch.device("meta"):
        return run.model.module().parameter_count()


SIZES = [(peer, size) for size in ("mini", "small") for peer in ("gpt", "gru", "lstm")]


@pytest.mark.parametrize(("peer", "size"), [*SIZES, ("gpt", "chat")])
def test_peers_have_as_many_parameters(peer, size):
    assert abs(count(f"{peer}_{size}") / count(f"real_sam_{size}") - 1) < 0.02
    assert wetware.recipe(f"{peer}_{size}").tokenizer == wetware.recipe(f"real_sam_{size}").tokenizer
