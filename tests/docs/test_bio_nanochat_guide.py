"""The guide to bio-nanochat names recipes, parts and studies that are there."""

import re
from pathlib import Path

import pytest

import wetware
from wetware.commands.train import configure

GUIDE = (Path(__file__).parents[2] / "docs" / "guide" / "bio_nanochat.md").read_text("utf-8")
TRAINED = re.findall(r"^ *wetware train (\w+)((?: --set \S+)*)", GUIDE, re.MULTILINE)
CONTROLS = re.findall(r"^\| `([\w.]+)` \|.*?\| `([\w=]+)`(?::[^|]*)? \|$", GUIDE, re.MULTILINE)


@pytest.mark.parametrize(("recipe", "settings"), TRAINED)
def test_what_it_trains_can_be_trained(recipe, settings):
    run = configure(wetware.recipe(recipe), settings.replace("--set", "").split())
    assert bool(settings) == (run != wetware.recipe(recipe))


@pytest.mark.parametrize(("path", "control"), CONTROLS)
def test_its_controls_fit_their_slots(path, control):
    field, _, value = control.rpartition("=")
    setting = f"{path}.{field}={value}" if field else f"{path}={value}"
    assert configure(wetware.recipe("bio_nanochat_1m"), [setting]) != wetware.recipe("bio_nanochat_1m")


def test_there_is_something_to_check_and_every_recipe_is_there():
    assert len(TRAINED) >= 6 and len(CONTROLS) >= 5
    named = set(re.findall(r"`(bio_nanochat\w*|gpt_\w+)`", GUIDE))
    short = set(re.findall(r"`(_\w+)`", GUIDE))
    recipes = {*named, *(f"bio_nanochat{name}" for name in short)}
    assert len(recipes) > 15
    for name in recipes:
        wetware.recipe(name)
