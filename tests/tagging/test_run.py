import pytest
import torch

from wetware.config import from_dict, to_dict
from wetware.tagging import EqualTags, RareKinds, RareTags, TagRun


def test_rare_tags_weigh_by_the_root_and_one_on_the_mean():
    counts = torch.tensor([900.0, 100.0])
    weights = RareTags().weights(counts)
    assert weights[1] / weights[0] == pytest.approx(3.0)
    assert (weights * counts).sum() / counts.sum() == pytest.approx(1.0)
    assert torch.equal(EqualTags().weights(counts), torch.ones(2))


def test_rare_kinds_weigh_both_tags_of_a_kind_alike():
    weights = RareKinds().weights(torch.tensor([900.0, 10.0, 90.0, 1.0, 8.0]))
    assert weights[1] == weights[2] and weights[3] == weights[4] == pytest.approx(10 * weights[0])
    assert weights[1] / weights[0] == pytest.approx(3.0)


def test_a_tag_that_was_never_seen_has_a_weight():
    assert RareTags().weights(torch.tensor([10.0, 0.0])).isfinite().all()


def test_a_run_comes_back_from_its_dict():
    assert from_dict(to_dict(TagRun(seed=3))) == TagRun(seed=3)
