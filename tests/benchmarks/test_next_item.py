"""The protocol of next-item prediction: filters, splits, ranks by hand, and a user's own files."""

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
from recsim_env.event_log.views import transitions

SHARED = Path(os.environ.get("RECSIM_ENV_DATA", Path(__file__).parents[3] / "shared" / "data"))
HOUR = 3_600_000


def events_file(folder, num_visitors=60, chain=5):
    """RetailRocket's form: visitors walk 10, 11, ... in a circle; every third item goes into the cart."""
    generator = np.random.default_rng(0)
    lines = []
    for visitor in range(num_visitors):
        time, item = visitor * HOUR, int(generator.integers(chain))
        for step in range(int(generator.integers(4, 9))):
            kind = "addtocart" if step % 3 == 2 else "view"
            lines.append((time + step * 60_000, f"{visitor},{kind},{10 + item},"))
            item = (item + 1) % chain
        lines.append((time + HOUR // 2, f"{visitor},transaction,{10 + item},7"))
        lines.append((time + HOUR // 3, f"{visitor},view,{1_000 + visitor},"))
    lines.sort()
    path = folder / "events.csv"
    rows = "".join(f"{time},{rest}\n" for time, rest in lines)
    path.write_text("timestamp,visitorid,event,itemid,transactionid\n" + rows)
    return path


def test_filters_by_hand():
    session = np.array([7, 7, 7, 7, 3, 3, 3, 5, 5, 5])
    item = np.array([40, 41, 42, 40, 40, 42, 41, 41, 42, 99])
    time = np.array([50, 51, 52, 53, 10, 11, 12, 20, 21, 22])
    purchase = np.zeros(10, bool)
    purchase[3] = True
    with pytest.raises(UsageError, match="at least 10 sessions of 3 interactions or more to split, got 2"):
        sessions.prepared(session, item, purchase, time, least_count=3)
    many = np.tile(session, 5) + np.repeat(np.arange(5) * 10, 10)
    when = np.tile(time, 5) + np.repeat(np.arange(5) * 100, 10)
    data = sessions.prepared(many, np.tile(item, 5), np.tile(purchase, 5), when, least_count=6)
    assert data.num_items == 3, "item 99 has 5 interactions, the others 15"
    # Session 5 had three, one of them with item 99; session 3 began before session 7.
    assert data.session[:8].tolist() == [0, 0, 0, 1, 1, 1, 1, 2]
    assert data.item[:7].tolist() == [0, 2, 1, 0, 1, 2, 0]
    assert np.flatnonzero(data.purchase)[:2].tolist() == [6, 13]
    assert np.all(np.diff(data.session) >= 0)
    sampled = sessions.prepared(
        many, np.tile(item, 5), np.tile(purchase, 5), when, least_count=1, most_sessions=11
    )
    assert sampled.session[-1] == 10


def some_sessions(num_sessions=50, seed=0):
    generator = np.random.default_rng(seed)
    length = generator.integers(3, 12, size=num_sessions)
    session = np.repeat(np.arange(num_sessions), length)
    step = np.arange(len(session)) - np.repeat(np.cumsum(length) - length, length)
    item = generator.integers(0, 8, size=len(session))
    return sessions.Interactions(session, item, generator.random(len(session)) < 0.3, 5 * session + step, 8)


def test_a_random_split_is_eight_to_one_to_one_by_session():
    data = some_sessions()
    parts = sessions.split(data, "random", 3)
    owners = [set(part.session.tolist()) for part in parts]
    assert [len(owner) for owner in owners] == [40, 5, 5]
    assert len(set.union(*owners)) == 50
    assert sum(len(part.item) for part in parts) == len(data.item)
    assert set(sessions.split(data, "random", 4)[2].session.tolist()) != owners[2]


def test_a_temporal_split_learns_from_nothing_that_comes_later():
    train, validation, test = sessions.split(some_sessions(), "temporal", 0)
    assert train.time.max() < validation.time.min()
    assert validation.time.max() < test.time.min()
    assert set(test.session.tolist()) == set(range(45, 50))
    assert len(train.item) < np.count_nonzero(some_sessions().session < 40), "no session ran over the cut"
    with pytest.raises(ValueError, match="expected 'random' or 'temporal', got 'by-user'"):
        sessions.split(some_sessions(), "by-user", 0)


def test_a_log_holds_what_came_before_and_what_it_earned():
    data = sessions.Interactions(
        np.array([0, 0, 0, 1]), np.array([2, 0, 1, 1]), np.array([False, True, False, False]), np.arange(4), 3
    )
    log = sessions.as_log(data)
    assert log.history_items[:, -2:].tolist() == [[3, 3], [3, 2], [2, 0], [3, 3]]
    assert log.history_events[:, -1].tolist() == [0, 1, 5, 0]
    assert log.last_slate[:, 0].tolist() == [3, 2, 0, 3]
    assert log.reward.tolist() == pytest.approx([0.2, 1.0, 0.2, 0.2])
    rows = transitions(log)
    assert rows.terminated.tolist() == [False, False, True, True]
    following = {key: column[0].tolist() for key, column in rows.next_observation.items()}
    seen = {key: column[1].tolist() for key, column in rows.observation.items()}
    assert following == seen


def test_a_catalog_knows_the_training_sessions_only():
    train = sessions.Interactions(
        np.array([0, 0, 0]), np.array([1, 1, 2]), np.zeros(3, bool), np.arange(3), 4
    )
    catalog = sessions.public_catalog(train)
    assert catalog.base_popularity.tolist() == pytest.approx([1 / 7, 3 / 7, 2 / 7, 1 / 7])


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


def test_retailrocket_as_in_the_papers(tmp_path):
    path = events_file(tmp_path)
    name, data = sessions.read_data(path, None)
    assert name == "RetailRocket"
    assert data.num_items == 5, "items that one visitor viewed are gone, and so are transactions"
    assert data.session[-1] == 59
    assert np.all(np.diff(data.item)[np.diff(data.session) == 0] % 5 == 1)
    assert data.purchase.mean() == pytest.approx(0.3, abs=0.05)
    assert sessions.read_data(tmp_path, None)[1].item.tolist() == data.item.tolist()
    sessions.save(tmp_path / "kept.npz", data)
    again = sessions.load(tmp_path / "kept.npz")
    assert all(np.array_equal(a, b) for a, b in zip(data, again, strict=True))


def test_yoochoose_as_in_the_papers(tmp_path):
    clicks, buys = [], []
    for session in range(1, 13):
        for step in range(3 if session < 12 else 2):
            clicks.append(f"{session},2014-04-07T10:{session:02}:{step:02}.000Z,{200 + step + session},0\n")
        buys.append(f"{session},2014-04-07T10:{session:02}:30.000Z,{201 + session},1046,1\n")
    (tmp_path / "yoochoose-clicks.dat").write_text("".join(clicks))
    with pytest.raises(UsageError, match=r"expected yoochoose-buys\.dat beside"):
        sessions.read_data(tmp_path, None)
    (tmp_path / "yoochoose-buys.dat").write_text("".join(buys[:11]))
    name, data = sessions.read_data(tmp_path, None)
    assert name == "RC15"
    assert data.session[-1] == 10, "the session of two is gone"
    assert data.purchase.tolist() == [False, False, False, True] * 11
    assert data.num_items == 13, "items are not filtered"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nothing", "is no file or folder"),
        (lambda folder: folder, "has neither"),
        (lambda folder: (folder / "other.csv").write_text("a,b\n1,2\n") and folder / "other.csv", "header"),
    ],
)
def test_other_data_are_refused_by_name(tmp_path, make, message):
    with pytest.raises(UsageError, match=message):
        sessions.read_data(make(tmp_path), None)


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
