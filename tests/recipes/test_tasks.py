"""Recipes of memory tasks: twins of one size on one text, whose documents fit what a model can learn from at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

import wetware
from wetware.training import AfterMark, Steps, Trainer

TASKS = ("recall", "binding", "copying", "needle")


@pytest.mark.parametrize("task", TASKS)
def test_twins_match(task):
    spiking, plain = (wetware.recipe(f"{task}_{model}") for model in ("real_sam", "gpt"))
    assert (spiking.corpus, spiking.training, spiking.seed) == (plain.corpus, plain.training, plain.seed)
    assert spiking.training.counted == AfterMark(marks=spiking.corpus.marks)
    sizes = [run.fitted(257, 0).model.build().parameter_count() for run in (spiking, plain)]
    assert abs(sizes[0] - sizes[1]) < 0.08 * sizes[1]


@pytest.mark.parametrize("name", [f"{task}_{model}" for task in TASKS for model in ("real_sam", "gpt")])
def test_a_document_fits_and_the_run_starts(name, tmp_path):
    run = wetware.recipe(name)
    corpus = replace(run.corpus, count=200, held_out=30)
    longest = max(len(example.text) for example in corpus.examples(corpus.sizes[1], 50)) + 1
    assert longest <= run.training.chunk
    if name.endswith("gpt"):
        assert longest <= run.model.attention.window
    limit = replace(run.training, limit=Steps(count=2), batch=2)
    trainer = Trainer(replace(run, corpus=corpus, training=limit), tmp_path / "run")
    trainer.fit()
    assert trainer.evaluate().tokens == sum(
        text.count(mark) for text in corpus.documents("validation") for mark in corpus.marks
    )
