"""The guide to conversations names recipes, settings and forms that are there; its transcript says the lines of its script."""

import re
from pathlib import Path

import pytest

import wetware
from wetware.commands.train import configure
from wetware.config import kinds
from wetware.data.forms import Form

FOLDER = Path(__file__).parents[2] / "docs" / "guide"
GUIDE = (FOLDER / "conversations.md").read_text("utf-8")


@pytest.mark.parametrize("recipe", sorted(set(re.findall(r"wetware train (\w+)", GUIDE))))
def test_what_it_trains_can_be_trained(recipe):
    assert isinstance(wetware.recipe(recipe).corpus, wetware.TemplateConversations)


@pytest.mark.parametrize("setting", sorted(set(re.findall(r"corpus\.(?:topics|longest|count|seed)[\w.]*=\w+", GUIDE))))
def test_its_settings_change_the_corpus(setting):
    run = wetware.recipe("real_sam_chat")
    assert configure(run, [setting]).corpus != run.corpus


def test_its_forms_are_those_there_are():
    table = GUIDE.partition("| form | fields |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(kinds(Form))


def test_its_transcript_says_the_script():
    script = (FOLDER / "conversation.txt").read_text("utf-8").splitlines()
    assert re.findall(r"^ *you> (.*)$", GUIDE, re.MULTILINE) == script
