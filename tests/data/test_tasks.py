"""Memory tasks: every answer follows the ask mark and is the one that the context gives; no context is in both splits."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random

import pytest

from wetware.config import ConfigError, from_dict
from wetware.data import AssociativeRecall, Bytes, Characters, Copying, DataError, Needle, VariableBinding, prepare

TASKS = [
    AssociativeRecall(count=300, held_out=100),
    VariableBinding(count=300, held_out=100),
    Copying(count=300, held_out=100, shortest=3),
    Needle(count=300, held_out=100, shortest=12, longest=40),
    Needle(count=300, held_out=100, shortest=20, longest=40, needles=3),
]
each_task = pytest.mark.parametrize(
    "task", TASKS, ids=lambda task: f"{type(task).__name__}{getattr(task, 'needles', '')}"
)


def answers(task, text):
    """``(asked, answer)`` of a text, and what a reader of the context alone would answer."""
    context, _, questions = text.partition("?")
    if isinstance(task, Copying):
        pairs = [("", answer) for answer in re.findall(r"=(.)", questions)]
        return pairs, list(context.rstrip("."))
    between = "=" if isinstance(task, Needle) else ""
    pairs = re.findall(f"([a-zA-Z]){between}(.)", questions)
    assert "".join(f"{a}{between}{b}" for a, b in pairs) == questions
    known = {}
    if isinstance(task, Needle):
        known = dict(re.findall(r"([A-Z])(\d)", context))
        assert len(known) == task.needles
    else:
        for name, right in zip(context[::2], context[1::2], strict=True):
            known[name] = known.get(right, right)
        known = {name.upper(): value for name, value in known.items()}
    return pairs, [known[name] for name, _ in pairs]


@each_task
def test_every_answer_is_what_the_context_says(task):
    for text in task.documents("train"):
        pairs, expected = answers(task, text)
        assert [answer for _, answer in pairs] == expected
        assert sum(text.count(mark) for mark in task.marks) == len(pairs) > 0


@each_task
def test_no_context_is_in_both_splits_and_examples_are_held_out(task):
    split = {name: {text.partition("?")[0] for text in task.documents(name)} for name in ("train", "validation")}
    again = {text.partition("?")[0] for text in replace(task, seed=9).documents("validation")}
    low, high = task.sizes
    asked = {example.context for size in {low, high} for example in task.examples(size, 50, seed=3)}
    assert not split["train"] & (split["validation"] | again | asked)
    assert list(task.documents("train")) == list(from_dict(task.to_dict()).documents("train"))
    assert list(task.documents("train")) != list(replace(task, seed=9).documents("train"))


def size_of(task, text):
    context = text.partition("?")[0]
    if isinstance(task, VariableBinding):
        return len(set(re.findall("[a-p]", context[::2])))
    return len(context.rstrip(".")) // (2 if isinstance(task, AssociativeRecall) else 1)


@each_task
def test_sizes_stay_in_their_range_and_small_ones_are_common(task):
    low, high = task.sizes
    sizes = [size_of(task, text) for text in task.documents("train")]
    assert min(sizes) == low and max(sizes) <= high
    assert max(sizes) >= 0.9 * high
    assert sum(size <= (low * high) ** 0.5 for size in sizes) > len(sizes) / 4
    assert {size_of(task, example.text) for example in task.examples(high, 9)} == {high}


@each_task
def test_one_character_is_one_token_the_same_for_every_split_and_size(task, tmp_path):
    tokenizer, _, held_out = prepare(task, Characters(), tmp_path)
    longer = Bytes().train([])
    for text in task.documents("validation"):
        assert len(tokenizer.encode(text)) == len(text)
        assert tokenizer.encode(text) == longer.encode(text)
    assert tokenizer.vocab_size == 257
    assert held_out.documents == task.held_out


def test_chance_is_what_the_commonest_candidate_would_get():
    example = next(AssociativeRecall(fewest=3, pairs=3, values=2).examples(3, 1))
    values = example.context[1::2]
    assert example.chance == max(values.count("0"), values.count("1")) / 3
    assert next(Needle().examples(40, 1)).chance == 0.1


@pytest.mark.parametrize("depth", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_a_needle_stands_at_its_depth(depth):
    text = Needle().at_depth(200, depth, Random(1)).text
    assert text.index("?") == 200
    assert re.search(r"\d", text).start() - 1 == round(depth * 198)


def test_a_chain_takes_the_value_of_its_time():
    """With every assignment a copy, all variables hold the one digit there is; without, none is a copy."""
    chained = VariableBinding(chained=1.0, rebound=0.0, distractors=0.0, fewest=8)
    for text in list(chained.examples(8, 20)):
        assert len(re.findall(r"\d", text.context)) == 1
        assert len(set(re.findall(r"[A-Z](\d)", text.questions))) == 1
    plain = VariableBinding(chained=0.0, fewest=8).examples(8, 20)
    assert all(example.context[1::2].isdigit() for example in plain)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AssociativeRecall(pairs=40), "pairs = 40"),
        (lambda: AssociativeRecall(fewest=9), "fewest = 9 exceeds pairs = 8"),
        (lambda: Copying(shortest=20), "shortest = 20 exceeds longest = 16"),
        (lambda: Needle(shortest=8, needles=3), "needles = 3 exceeds a quarter of shortest = 8"),
        (lambda: Copying(longest=0), "longest = 0 is out of range"),
    ],
)
def test_what_does_not_fit_is_named(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_too_few_different_texts_are_named():
    with pytest.raises(DataError, match="Copying with length from 1 to 1 has too few different texts"):
        list(Copying(shortest=1, longest=1, symbols=2, gap=0).documents("validation"))
