"""`recsim-env narrow-support`: known limits, what is summarised, and, slowly, what theory says of bias."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks import narrow_support
from benchmarks.cli import app
from benchmarks.narrow_support import METHODS, biased_limit, judge_methods, summarise, support_table, value_of
from benchmarks.tasks import run_and_save


def test_the_limit_of_no_correction_by_hand():
    behaviour, reward = np.array([[0.8, 0.2], [0.5, 0.5]]), np.array([[1.0, 4.0], [0.0, 3.0]])
    limit = biased_limit(behaviour, reward)
    np.testing.assert_allclose(limit, [[0.5, 0.5], [0.0, 1.0]])
    assert value_of(limit, reward) == pytest.approx((2.5 + 3.0) / 2)


def judged(seed, report=None):
    figures = {"value": 0.5 + 0.1 * seed, "effective": 0.25, "largest": 3.0 + seed, "from_biased": 0.125}
    return {"methods": dict.fromkeys(METHODS, figures), "reference": {"logging": 0.3, "optimum": 0.9}}


def test_the_summary_by_hand():
    summary = summarise([judged(seed) for seed in range(3)], [0, 1, 2])
    row = summary["rows"][0]
    assert row["agent"] == "uncorrected"
    assert (row["value"], row["spread"], row["largest"]) == pytest.approx((0.6, 0.1, 5.0))
    # Student's t with 2 degrees of freedom: 4.303 standard errors.
    assert row["upper"] - row["lower"] == pytest.approx(2 * 4.303 * 0.1 / 3**0.5, rel=1e-3)
    single = summarise([judged(0)], [0])
    assert single["rows"][0]["lower"] is None
    console = Console(file=io.StringIO(), width=140)
    console.print(support_table(summary), support_table(single))
    assert "optimum 0.900" in console.file.getvalue()


def test_the_command_reports_what_it_saved(tmp_path, monkeypatch):
    def run_here(command, tasks, folder, jobs, console):
        for task in tasks:
            run_and_save(task, folder.path(task.name), folder.fingerprint, lambda fraction: None)

    monkeypatch.setattr(narrow_support, "judge_methods", judged)
    monkeypatch.setattr(narrow_support, "run_missing", run_here)
    arguments = ["narrow-support", "--seeds", "2", "--jobs", "1", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*arguments, "--json", str(tmp_path / "rows.json")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "rows.json").read_text() == (tmp_path / "out" / "summary.json").read_text()
    assert "self-normalised" in result.output


@pytest.mark.slow
def test_bias_and_weights_are_as_theory_says():
    methods = judge_methods(0, lambda fraction: None)["methods"]
    uncorrected, plain, capped = (methods[name] for name in ("uncorrected", "plain IPS", "capped"))
    assert uncorrected["from_biased"] < 0.15
    assert plain["from_biased"] > 2 * uncorrected["from_biased"]
    assert uncorrected["effective"] == pytest.approx(1.0)
    assert plain["effective"] < 0.5
    assert plain["largest"] > 3 * capped["largest"] == pytest.approx(3 * np.exp(3), rel=1e-5)
