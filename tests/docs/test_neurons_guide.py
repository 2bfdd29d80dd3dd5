"""The guide to neurons names parts, recipes and studies that are there."""

import re
import shlex
from pathlib import Path

import pytest

import wetware
from wetware.commands.train import configure
from wetware.evaluation.measures import measure
from wetware.recipes import study

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "neurons.md").read_text("utf-8")
TRAINED = re.findall(r"^ *wetware train (\w+) (.+)$", GUIDE, re.MULTILINE)


@pytest.mark.parametrize(("recipe", "settings"), TRAINED)
def test_what_it_trains_can_be_trained(recipe, settings):
    settings = [word for word in shlex.split(settings) if word != "--set"]
    assert configure(wetware.recipe(recipe), settings) != wetware.recipe(recipe)


def test_what_it_names_is_there():
    assert len(TRAINED) >= 5
    for name in set(re.findall(r"wetware study (\w+)", GUIDE)):
        assert study(name).changes
    for name in re.findall(r"--tasks (\w+)", GUIDE):
        measure(name)
    parts = set(re.findall(r"`([A-Z]\w*[a-z]\w*|LIF)`", GUIDE))
    assert len(parts) > 10 and all(hasattr(wetware, part) for part in parts)
