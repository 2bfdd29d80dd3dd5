import pytest
import torch

from wetware.data import DataError
from wetware.evaluation.inspection import first_sentence, read_sentence


def test_every_token_and_every_trace(whale):
    text = first_sentence(whale.held_out, whale.tokenizer, 12)
    found = read_sentence(whale.model, whale.tokenizer, text)
    tokens = whale.tokenizer.encode(text)
    assert len(found.pieces) == len(tokens) == len(found.spikes[0]) == len(found.membranes[1])
    assert found.traces["louder: token"].tolist() == tokens
    with torch.inference_mode():
        activity = whale.model(torch.tensor([[whale.tokenizer.boundary, *tokens]])).activity
    assert torch.equal(found.spikes[1], activity[1].spikes[0, 1:])
    assert not whale.model.traits["louder"]._forward_pre_hooks


def test_nothing_to_read(whale):
    with pytest.raises(DataError, match="empty"):
        read_sentence(whale.model, whale.tokenizer, "")
