"""Measures taken of each cell of a study: in its row, in the report, and in the plan only where there are any."""

import subprocess
import sys
from dataclasses import replace

import pytest

from wetware.commands.console import Console
from wetware.commands.study_report import write_report
from wetware.config import ConfigError
from wetware.evaluation.measures.bits_per_byte import BitsPerByte
from wetware.evaluation.measures.conversation_answers import ConversationAnswers
from wetware.evaluation.measures.memory_horizon import MemoryHorizon
from wetware.evaluation.study import Plan, Study
from wetware.evaluation.study.plan import draw_up
from wetware.evaluation.study.store import DONE, Store
from wetware.evaluation.study.worker import Worker


def test_every_cell_is_measured_and_the_report_shows_them_side_by_side(small_plan, tmp_path):
    asked = MemoryHorizon(longest=16, targets=30)
    plan = replace(small_plan, arms=small_plan.arms[:2], speeds=small_plan.speeds[:2], measures=(asked,))
    store = Store(f"sqlite:///{tmp_path / 'study.db'}")
    store.register(plan)
    assert store.plan(plan.name) == plan
    Worker(store, tmp_path / "cells").work()
    cells = store.cells(plan.name)
    assert [cell.status for cell in cells] == [DONE] * 4, [cell.error for cell in cells]
    figures = cells[0].result["measures"]["memory_horizon"]
    assert figures["contexts"] == [1, 2, 4, 8, 16] and figures["targets"] == 30
    write_report(store, plan.name, tmp_path / "out", Console())
    page = (tmp_path / "out" / "report.md").read_text()
    assert f"## {MemoryHorizon.title}" in page and "| arm | horizon | at least | 1 | 2 | 4 | 8 | 16 |" in page
    everything = [cell.result["measures"]["memory_horizon"] for cell in cells if cell.arm == "everything"]
    row = next(line for line in page.partition(MemoryHorizon.title)[2].splitlines() if line.startswith("| everything"))
    assert f"{sum(run['bits_per_byte'][-1] for run in everything) / 2:.4f}" in row


def test_a_measure_that_no_report_could_show_is_refused_before_anything_is_trained(small_run):
    with pytest.raises(ConfigError, match="BitsPerByte cannot be taken of a study's cells"):
        draw_up("x", Study(run=small_run, plain=None, measures=(BitsPerByte(),)), measure=False)


def test_conversation_answers_side_by_side():
    runs = [{"kinds": {"greeting": {"share": share}, "year": {"share": 0.5}}} for share in (0.2, 0.4)]
    table = ConversationAnswers().side_by_side({"one": runs, "other": runs[:1]})
    assert table.columns == ("arm", "greeting", "year")
    assert table.rows == (("one", "30.0%", "50.0%"), ("other", "20.0%", "50.0%"))


def test_a_process_that_knows_nothing_of_the_measures_can_read_the_plan(small_plan, tmp_path):
    """As a worker does, which is started with the database's name and no more."""
    plan = replace(small_plan, measures=(MemoryHorizon(longest=16, targets=30), ConversationAnswers(conversations=5)))
    url = f"sqlite:///{tmp_path / 'study.db'}"
    Store(url).register(plan)
    code = f"from wetware.evaluation.study.store import Store; print(len(Store({url!r}).plan({plan.name!r}).measures))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "2", done.stderr


def test_a_plan_without_measures_is_written_as_it_was_before_there_were_any(small_plan):
    assert "measures" not in small_plan.to_dict()
    assert Plan.from_dict(small_plan.to_dict()) == small_plan
    assert "without a test" not in small_plan.markdown()
    assert "Memory horizon" in replace(small_plan, measures=(MemoryHorizon(),)).markdown()
