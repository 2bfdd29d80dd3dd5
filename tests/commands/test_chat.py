"""``wetware chat`` with a model that learned conversations: it is spoken to in the template, ends its turns, and a script gives
the same transcript every time. And how it comes to be: from a file of conversations, on the weights of a text model."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest

import wetware
from wetware.cli import main
from wetware.commands.chat import Talk
from wetware.data import Bytes, TextFiles
from wetware.data.conversations import END, SPECIALS
from wetware.models.generation import Sampling
from wetware.training import Calibration, Monitoring, Run, Steps, Trainer, Training

ANSWERS = {"Hi": "Yes.", "Bye": "No!"}
SHORT = ["--set", "training.batch=4", "--set", "training.chunk=48", "--set", "monitoring.sample_tokens=4"]


@pytest.fixture(scope="module")
def folder(tiny_text, tmp_path_factory):
    """``text``, a model of text; ``talks.jsonl``; and ``chat``, made of both by the command."""
    folder = tmp_path_factory.mktemp("talk")
    monitoring = Monitoring(evaluate_every=1000, evaluate_tokens=100, sample_every=1000, sample_tokens=3)
    training = Training(batch=4, chunk=48, limit=Steps(count=4), calibration=Calibration(rate=0.2))
    model = replace(wetware.tiny("real_sam"), width=48)
    run = Run(
        model=model, corpus=TextFiles(path=str(tiny_text)), tokenizer=Bytes(), training=training, monitoring=monitoring
    )
    Trainer(run, folder / "text").fit()
    turns = [
        [{"role": "user", "content": f"{said} {name}"}, {"role": "assistant", "content": answer}]
        for (said, answer), name in itertools.product(ANSWERS.items(), "abcdefghijklmnopqrst")
    ]
    talks = [{"messages": first + second} for first, second in itertools.pairwise(turns)]
    (folder / "talks.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in talks))
    start = ["--init-from", str(folder / "text"), "--data", str(folder / "talks.jsonl"), "--steps", "150", *SHORT]
    assert main(["train", "real_sam_chat", "--out", str(folder / "chat"), "--threads", "1", *start]) == 0
    return folder


def transcript(folder, capsys, *lines, run="chat", options=("--temperature", "0")):
    script = folder / "script.txt"
    script.write_text("\n".join(lines))
    capsys.readouterr()
    assert main(["chat", str(folder / run), "--script", str(script), "--tokens", "9", "--threads", "1", *options]) == 0
    return capsys.readouterr().out.splitlines()


def test_a_text_model_learns_to_talk_from_a_file(folder, capsys):
    model, tokenizer = wetware.load(folder / "chat")
    assert set(SPECIALS) <= set(tokenizer.specials) and model.vocab_size == 260
    assert transcript(folder, capsys, "Hi z", "Bye z", "", "Hi y") == [
        "you> Hi z",
        "Yes.",
        "you> Bye z",
        "No!",
        "you> Hi y",
        "Yes.",
    ]


def test_a_script_gives_the_same_transcript_from_a_seed(folder, capsys):
    warm = ("--temperature", "3", "--seed", "5")
    once, again = (transcript(folder, capsys, "Hi z", "Bye z", options=warm) for _ in range(2))
    assert once == again != transcript(folder, capsys, "Hi z", "Bye z", options=(*warm[:3], "6"))


def test_turns_are_taken_back_and_answered_anew(folder, capsys):
    said = transcript(folder, capsys, "Hi z", "/undo", "/undo", "Bye z", "/again", "/quit", "never")
    assert said == ["you> Hi z", "Yes.", "you> /undo", "taken back: Hi z", "you> /undo", "nothing was said yet",
                    "you> Bye z", "No!", "you> /again", "No!", "you> /quit"]  # fmt: skip
    warm = ("--temperature", "3", "--seed", "5")
    answers = [
        line for line in transcript(folder, capsys, "Hi z", "/again", "/again", options=warm) if line[:4] != "you>"
    ]
    assert len(set(answers)) > 1


def test_the_state_is_that_of_the_template_read_at_once(folder):
    model, tokenizer = wetware.load(folder / "chat")
    talk = Talk(model, tokenizer, Sampling(temperature=0.0), 0)
    for text in ("Hi z", "Bye <|end|> z"):
        list(talk.say(text, 20))
    end = tokenizer.specials[END]
    assert talk.tokens.count(end) == 2 and talk.tokens[-1] == end
    again = Talk(model, tokenizer, Sampling(temperature=0.0), 0)
    again._read(talk.tokens[1:])
    assert (talk.session.logits - again.session.logits).abs().max() < 1e-4
    list(talk.say("Hi", 1))  # cut short: its turn is ended before the user's begins
    assert talk.tokens[-1] != end
    list(talk.say("Hi", 1))
    assert talk.tokens.count(end) == 3
    talk.undo()
    assert talk.tokens.count(end) == 2


def test_a_script_that_is_not_there(folder, capsys):
    assert main(["chat", str(folder / "chat"), "--script", "nowhere.txt"]) == 2
    assert "cannot read the script 'nowhere.txt'" in capsys.readouterr().err


def test_a_text_model_goes_on_with_the_text(folder, capsys):
    assert transcript(folder, capsys, "The law", run="text")[0] == "you> The law"


def test_talking_on_text_says_what_is_missing(folder, tiny_text, capsys, tmp_path):
    arguments = ["train", "real_sam_chat", "--data", str(tiny_text), "--steps", "1", "--out", str(tmp_path / "x")]
    assert main([*arguments, "--threads", "1"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "no special token '<|user|>'" in error and "--data conversations" in error
