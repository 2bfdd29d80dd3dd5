"""The guide to Real Sam names recipes, parts, studies and pictures that are there."""

import re
from pathlib import Path

import pytest

import wetware
from wetware.cli import parser
from wetware.commands.train import configure
from wetware.recipes import study_names

FOLDER = Path(__file__).parents[2] / "docs" / "guide"
GUIDE = (FOLDER / "real_sam.md").read_text("utf-8")
COMMANDS = re.findall(r"^    wetware (.+)$", GUIDE, re.MULTILINE)
SETTINGS = re.findall(r"`(?:--set )?([\w.]+\.[\w.]*=\w[\w.]*)`", GUIDE)


@pytest.mark.parametrize("command", COMMANDS)
def test_its_commands_are_understood(command):
    words = re.findall(r'"[^"]*"|\S+', command)
    arguments = parser().parse_args([word.strip('"') for word in words])
    if arguments.command == "train":
        configure(wetware.recipe(arguments.recipe), arguments.settings)
    if arguments.command == "study":
        assert arguments.recipe in study_names()


@pytest.mark.parametrize("setting", SETTINGS)
def test_its_settings_change_a_version(setting):
    recipe = wetware.recipe("real_sam_v3" if "homeostasis." in setting else "real_sam_v4")
    assert configure(recipe, [setting]) != recipe


def test_there_is_something_to_check_and_pictures_and_recipes_are_there():
    assert len(COMMANDS) >= 6 and len(SETTINGS) >= 6
    recipes = set(re.findall(r"^\| `(real_sam\w*)` \|", GUIDE, re.MULTILINE))
    assert len(recipes) >= 5
    for name in recipes:
        wetware.recipe(name)
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", GUIDE)
    assert len(pictures) >= 3 and all((FOLDER / picture).exists() for picture in pictures)
