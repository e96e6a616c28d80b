"""The protocol of next-item prediction: ranks by hand, what is claimed, and data end to end."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.engines import Engine
from benchmarks.errors import UsageError
from benchmarks.experiments import next_item
from benchmarks.experiments import next_item_data as sessions
from benchmarks.experiments.claims import judged
from benchmarks.experiments.frame import run_experiment
from benchmarks.experiments.next_item_published import published, published_gains
from benchmarks.experiments.next_item_ranks import METRICS, accuracy, fit_scorer, ranks
from tests.benchmarks.made_up_sessions import events_file, some_sessions

SHARED = Path(os.environ.get("RECSIM_ENV_DATA", Path(__file__).parents[3] / "shared" / "data"))


def test_ranks_of_a_scorer_that_knows():
    data = some_sessions()
    log = sessions.as_log(data)
    rows = np.arange(len(data.item))
    place = {"row": 0}

    def knows(observation):
        start = place["row"]
        place["row"] += len(observation["segment"])
        return np.eye(8)[data.item[start : place["row"]]]

    assert not ranks(knows, data, log, rows, 0).any()
    place["row"] = 0
    found = accuracy(knows, data, 0)
    assert found["click_hr@5"] == found["purchase_ndcg@5"] == 1.0
    assert found["clicks"] + found["purchases"] == len(data.item)
    with pytest.raises(ValueError, match="at least one purchase in the test sessions, got none"):
        accuracy(lambda seen: np.zeros((len(seen["segment"]), 8)), data.rows(~data.purchase), 0)


def test_constant_scores_earn_what_chance_does():
    data = some_sessions(2_000)
    found = accuracy(lambda seen: np.zeros((len(seen["segment"]), 8)), data, 1)
    # 10,000 clicks: five standard errors.
    assert found["click_hr@5"] == pytest.approx(5 / 8, abs=0.025)
    assert found["click_hr@10"] == 1.0


def test_popularity_by_hand():
    train = some_sessions()
    score = fit_scorer("popular", train, train, 1, 0, lambda fraction: None)
    order = np.argsort(-score({"segment": np.zeros(1, int)})[0], kind="stable")
    assert order.tolist() == np.argsort(-np.bincount(train.item, minlength=8), kind="stable").tolist()
    with pytest.raises(ValueError, match="expected one that learns from a log, or popular, got 'dqn'"):
        fit_scorer("dqn", train, train, 1, 0, lambda fraction: None)


def test_only_one_experiment_takes_data(tmp_path):
    events = str(events_file(tmp_path))
    runner = CliRunner()
    answer = runner.invoke(app, ["compare", "--experiment", "planted", "--data", events])
    assert answer.exit_code != 0
    assert "planted has no use for data; expected --experiment next-item" in answer.output
    answer = runner.invoke(app, ["compare", "--data", events])
    assert answer.exit_code != 0
    assert "--data is for --experiment next-item" in answer.output


def test_data_end_to_end(tmp_path):
    """An order that can be learned is learned; a second run computes nothing; other data are refused."""
    size = {
        **next_item.SIZES["quick"],
        "agents": ["popular", "item-knn", "next-item"],
        "temporal": ["popular", "next-item"],
        "epochs": 20,
        "num_seeds": 2,
    }
    out = tmp_path / "out"
    arguments = {
        "name": "next-item",
        "preset": "quick",
        "num_seeds": None,
        "first_seed": 1_000,
        "out": out,
        "jobs": Engine("serial"),
        "overwrite": False,
        "json_path": None,
        "console": Console(quiet=True),
    }
    events = events_file(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(next_item.SIZES, "quick", size)
        summary = run_experiment(**arguments, data=events)
        before = {path: path.stat().st_mtime_ns for path in (out / "tasks").iterdir()}
        again = run_experiment(**arguments, data=events)
        assert {path: path.stat().st_mtime_ns for path in (out / "tasks").iterdir()} == before
        other = tmp_path / "other"
        other.mkdir()
        with pytest.raises(UsageError, match="other settings"):
            run_experiment(**arguments, data=events_file(other, num_visitors=70))
        with pytest.raises(UsageError, match="other settings"):
            run_experiment(**arguments)
    assert again["rows"] == summary["rows"]
    assert summary["settings"]["data"]["name"] == "RetailRocket"
    assert summary["settings"]["data"]["sessions"] == 60
    assert "data_file" not in summary["settings"]
    value = {(one["agent"], one["metric"]): one["value"] for one in summary["rows"]}
    for split in ("random", "temporal"):
        # All but the first item of a session follow from those before; the best constant order gets 0.59.
        assert value["next-item", f"{split}_click_ndcg@5"] > 0.75
        assert value["next-item", f"{split}_purchase_ndcg@5"] > 0.9
        assert value["popular", f"{split}_click_ndcg@5"] < 0.7
    assert ("item-knn", "random_click_hr@5") in value
    assert ("item-knn", "temporal_click_hr@5") not in value
    assert all((one["lower"] or 0) >= 0 for one in summary["rows"] if "minus" not in one["metric"])
    assert value["next-item (published)", "random_purchase_hr@10"] == 0.5107
    assert {one["scenario"] for one in summary["rows"]} == {"RetailRocket"}
    assert (out / "next_item.png").is_file()


def test_the_published_figures_are_the_papers():
    path = SHARED / "published_sqn_snqn_sa2c.csv"
    if not path.is_file():
        pytest.skip(f"no {path}; RECSIM_ENV_DATA may name a folder that has it")
    with open(path, newline="") as file:
        printed = {(one["dataset"], one["model"]): one for one in csv.DictReader(file)}
    assert len(published()) == 16
    for one in published():
        row = printed[one["dataset"], one["published_as"]]
        for metric in METRICS:
            theirs = metric.replace("_hr", "_HR").replace("_ndcg", "_NG")
            assert float(one[metric]) == float(row[theirs])


def test_published_gains_are_over_gru():
    gains = published_gains("next-item")
    assert gains["sqn", "purchase_ndcg@10"] == pytest.approx({"RC15": 0.0172, "RetailRocket": 0.0294})
    assert gains["sac-rec", "click_ndcg@10"]["RC15"] == pytest.approx(-0.0002)


def test_claims_are_judged_with_all_others():
    generator = np.random.default_rng(4)
    luck = generator.normal(size=10)
    values = {}
    for agent, gain in (("next-item", 0.0), ("sqn", 1.0), ("sqn:gamma=0.0", 1.0), ("popular", -1.0)):
        for split in ("random", "temporal"):
            for metric in next_item.CLAIMED:
                values[agent, split, metric] = luck + gain + 0.01 * generator.normal(size=10)
    agents = ["popular", "next-item", "sqn", "sqn:gamma=0.0"]
    size = {"agents": agents, "temporal": ["next-item"]}
    learned, others, foresight, late = next_item.questions("Tiny-v0", size, values)
    rows, findings = judged("next-item", "Tiny-v0", learned, digits=4)
    assert [finding.shown for finding in findings] == [True] * 4
    assert "sqn is above that of next-item" in findings[0].text
    assert "published: +0.0115 on RC15, +0.0216 on RetailRocket" in findings[0].text
    assert rows[0]["p_corrected"] == pytest.approx(4 * 2 / 2**10)
    _, findings = judged("next-item", "Tiny-v0", others, digits=4)
    assert "popular is below that of next-item" in findings[0].text
    _, findings = judged("next-item", "Tiny-v0", foresight, digits=4)
    assert [finding.shown for finding in findings] == [False, False]
    assert "not shown to differ from that of sqn:gamma=0.0" in findings[0].text
    assert len(late) == 2
    early = {key: of for key, of in values.items() if key[1] == "random"}
    assert next_item.questions("Tiny-v0", size, early)[3] == []
    single = [one._replace(values=one.values[:1], reference=one.reference[:1]) for one in late]
    assert judged("next-item", "Tiny-v0", single) == judged("next-item", "Tiny-v0", []) == ([], [])


def test_no_question_has_more_claims_than_ten_seeds_can_show():
    """Signs of ten differences flip in 1,024 ways: beyond 25 claims no p-value stays below 5 %."""
    for size in next_item.SIZES.values():
        values = {
            (agent, split, metric): np.zeros(10)
            for agent, split in next_item.arms_of(size)
            for metric in next_item.METRICS
        }
        assert max(map(len, next_item.questions("Tiny-v0", size, values))) <= 25


def test_other_encoders_are_on_the_published_split_only():
    arms = next_item.arms_of(next_item.SIZES["standard"])
    assert ("next-item", "temporal") in arms
    assert ("next-item:encoder=caser", "random") in arms
    assert ("next-item:encoder=caser", "temporal") not in arms
    large = {**next_item.SIZES["standard"], "data": {"items": 70_852}}
    assert set(next_item.SIZES["standard"]["agents"]) - set(next_item.agents_of(large)) == {"item-knn"}
