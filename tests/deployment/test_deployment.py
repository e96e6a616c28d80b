"""A deployment on users: propensities, late feedback, carry-over, the decision log, and who may know what."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest

import recsim_env.deployment
from recsim_env.deployment import (
    Controller,
    Deployment,
    EpsilonGreedy,
    Feedback,
    Newest,
    Settings,
    Step,
    Strategy,
    make_strategy,
)

PACKAGE = Path(recsim_env.deployment.__file__).parent


class Even(Strategy):
    """All live arms alike, and what it was told."""

    def start(self, num_runs):
        super().start(num_runs)
        self.told = []

    def shares(self, live, generator):
        return live / live.sum(axis=1, keepdims=True)

    def update(self, batch):
        self.told.append(batch)


def made(strategy, *arms, settings=None, segments=1):
    controller = Controller(strategy, np.random.default_rng(0), settings, num_segments=segments)
    for arm in arms:
        controller.admit(arm)
    return controller


class Shop:
    """Conversions at a rate by arm, all at once."""

    def __init__(self, rates, seed=0):
        self.rates, self.luck, self.batches = np.array(rates), np.random.default_rng(seed), []

    def __call__(self, batch):
        self.batches.append(batch)
        request = batch.first_request + np.arange(len(batch.arm))
        return Feedback(request, (self.luck.random(len(request)) < self.rates[batch.arm]).astype(float))


def test_propensities_are_those_of_the_assignment():
    # Inverse propensity weighting over the logged assignments recovers what each arm earns.
    shop = Shop([0.1, 0.3, 0.2])
    controller = made(
        EpsilonGreedy(0.3), "a", "b", "c", settings=Settings(control_share=0.1, floor=0.05), segments=2
    )
    deployment = Deployment(shop, controller, seed=3)
    weighted = np.zeros(3)
    for batch in range(40):
        users = np.arange(batch * 500, (batch + 1) * 500)
        served = deployment.serve(users, users % 2)
        assert served.propensity.min() > 0
        for arm in range(3):
            weighted[arm] += (shop.rates[arm] * (served.arm == arm) / served.propensity).sum()
        assert (served.arm[served.in_slice] == 0).all()
    assert weighted / 20_000 == pytest.approx(shop.rates, rel=0.12)


def test_users_keep_their_arm_unless_asked_otherwise():
    users = np.arange(2_000)
    for sticky, share in ((True, 1.0), (False, 0.5)):
        deployment = Deployment(
            Shop([0.1, 0.1]),
            made(Even(), "a", "b", settings=Settings(control_share=0.0)),
            seed=1,
            sticky=sticky,
        )
        first, second = (deployment.serve(users).arm for _ in range(2))
        assert (first == second).mean() == pytest.approx(share, abs=0.05)


def test_late_rewards_count_within_the_window_only():
    def platform(batch):
        # Every request earns 1 at once, and 10 two batches later.
        now = batch.first_request + np.arange(4)
        late = now - 8
        late = late[late >= 0]
        return Feedback(np.concatenate([now, late]), np.concatenate([np.ones(4), np.full(len(late), 10.0)]))

    totals = {}
    for window in (0, 2):
        strategy = Even()
        deployment = Deployment(platform, made(strategy, "a"), seed=0, window=window)
        for _ in range(5):
            deployment.serve(np.arange(4))
        totals[window] = [float(told[1].sum()) for told in strategy.told]
        assert deployment.late == (12 if window == 0 else 0)
    assert totals == {0: [4.0] * 5, 2: [0.0, 0.0, 44.0, 44.0, 44.0]}


def test_washout_and_once_leave_requests_out():
    counted = {}
    for name, options in {
        "all": {},
        "washout": {"washout": 2},
        "once": {"once_per_user": True},
        "both": {"washout": 2, "once_per_user": True},
    }.items():
        strategy = Even()
        deployment = Deployment(Shop([0.5]), made(strategy, "a"), seed=0, **options)
        for _ in range(4):
            deployment.serve(np.arange(10))
        counted[name] = [int(told[0].sum()) for told in strategy.told]
    assert counted == {
        "all": [10, 10, 10, 10],
        "washout": [0, 0, 10, 10],
        "once": [10, 0, 0, 0],
        "both": [0, 0, 10, 0],
    }


def test_arms_come_and_go_while_it_runs():
    shop = Shop([0.1, 0.2, 0.3])
    controller = made(Even(), "a", "b", settings=Settings(control_share=0.0))
    deployment = Deployment(shop, controller, seed=0, window=1)
    deployment.serve(np.arange(300))
    controller.admit("c")
    assert set(deployment.serve(np.arange(300)).arm.tolist()) == {0, 1, 2}
    controller.retire("b")
    assert set(deployment.serve(np.arange(300)).arm.tolist()) == {0, 2}
    assert shop.batches[-1].names == ("a", "b", "c")


def test_the_decision_log_grows_and_can_be_read_by_both(tmp_path):
    controller = made(Newest(), "old")
    controller.admit("bad", ramp=(Step(0.3, 100),))
    deployment = Deployment(Shop([0.4, 0.1]), controller, seed=0, log=tmp_path / "decisions")
    before = ""
    for batch in range(30):
        deployment.serve(np.arange(batch * 300, (batch + 1) * 300))
        text = (tmp_path / "decisions.jsonl").read_text()
        assert text.startswith(before)
        before = text
    kinds = [json.loads(line)["kind"] for line in before.splitlines()]
    assert kinds[:3] == ["admit", "admit", "leader"]
    assert "rollback" in kinds
    assert [one["kind"] for one in deployment.log.read()] == kinds
    sentences = (tmp_path / "decisions.txt").read_text()
    assert "bad is rolled back: worse than the control by" in sentences
    assert len(sentences.splitlines()) == len(kinds)


@pytest.mark.parametrize(
    ("feedback", "message"),
    [
        (Feedback(np.array([9]), np.array([1.0])), r"expected a finite reward of a request in \[0, 4\)"),
        (Feedback(np.array([0]), np.array([np.nan])), "got nan of request 0"),
    ],
)
def test_impossible_feedback_is_refused(feedback, message):
    with pytest.raises(ValueError, match=message):
        Deployment(lambda batch: feedback, made(Even(), "a"), seed=0).serve(np.arange(4))


def test_impossible_segments_and_controllers_are_refused():
    with pytest.raises(ValueError, match=r"segments\[1\]: expected in \[0, 1\), got 1"):
        Deployment(Shop([0.5]), made(Even(), "a"), seed=0).serve(np.arange(2), [0, 1])
    many = Controller(Even(), np.random.default_rng(0), num_runs=2)
    with pytest.raises(ValueError, match="expected num_runs = 1, got 2"):
        Deployment(Shop([0.5]), many, seed=0)


ALLOWED = ("collections", "dataclasses", "json", "math", "numpy", "pathlib", "statistics", "typing", "abc")
ALLOWED += ("__future__", "recsim_env.checked", "recsim_env.deployment")


def test_the_package_can_reach_no_simulator():
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            for name in names:
                assert any(name == one or name.startswith(f"{one}.") for one in ALLOWED), (path, name)


class Sealed:
    """A platform that knows the truth and gives it to nobody: only calling it is allowed."""

    __slots__ = ("_table",)

    def __init__(self, table):
        object.__setattr__(self, "_table", table)

    def __getattribute__(self, name):
        raise AssertionError(f"a strategy read {name!r} of the platform")

    def __call__(self, batch):
        table = object.__getattribute__(self, "_table")
        request = batch.first_request + np.arange(len(batch.arm))
        return Feedback(request, table[request, batch.arm])


@pytest.mark.parametrize(
    "name", ["validation", "ab_test", "sliding_ucb", "detected_thompson", "segment_thompson"]
)
def test_decisions_depend_on_what_was_served_and_nothing_else(name):
    # Two worlds that agree on every reward that was handed out, and on no other.
    luck = np.random.default_rng(7)
    table = luck.random((3_000, 3)) < [0.1, 0.2, 0.15]

    def run(rewards):
        controller = Controller(make_strategy(name), np.random.default_rng(1), num_segments=2)
        for arm, estimate in (("a", 0.1), ("b", 0.2), ("c", None)):
            controller.admit(arm, estimate)
        deployment = Deployment(Sealed(rewards), controller, seed=5)
        return np.concatenate(
            [deployment.serve(np.arange(100) + 100 * b, np.arange(100) % 2).arm for b in range(30)]
        )

    arms = run(table.astype(float))
    served = np.zeros(table.shape, bool)
    served[np.arange(len(arms)), arms] = True
    other = np.where(served, table, luck.random(table.shape) < 0.9).astype(float)
    assert (run(other) == arms).all()


def test_responses_beyond_their_range_are_counted_and_told_once():
    """A release that earns half as much is seen only where the range is that of the responses."""
    earns = np.array([6.0, 3.0])

    def shop(batch):
        return Feedback(batch.first_request + np.arange(len(batch.arm)), earns[batch.arm])

    told = {}
    for high in (1.0, 10.0):
        controller = made(Newest(), "old", settings=Settings(control_share=0.1, high=high))
        controller.admit("new", ramp=(Step(0.5, 1_000),))
        deployment = Deployment(shop, controller, seed=0)
        served = [deployment.serve(np.arange(100) + 100 * number) for number in range(30)]
        told[high] = [one for batch in served for one in batch.decisions]
        assert deployment.clipped == (3_000 if high == 1 else 0)
    alarms = [one for one in told[1.0] if one.kind == "alarm"]
    assert [one.evidence["highest"] for one in alarms] == [6.0]
    assert "100 of 100 responses lie outside [0, 1]" in alarms[0].text
    assert not any(one.kind == "rollback" for one in told[1.0])
    assert [one.kind for one in told[10.0] if one.kind in ("alarm", "rollback")] == ["rollback"]


@pytest.mark.parametrize(
    ("users", "segments", "message"),
    [
        ([1.7, 2.9], None, r"users: expected a 1-d array of integers, got shape \(2,\) of float64"),
        ([1, 2], [0], "segments: expected one for each of 2 users, got 1"),
    ],
)
def test_users_and_segments_are_whole_and_as_many(users, segments, message):
    deployment = Deployment(Shop([0.5]), made(Even(), "old"), seed=0)
    with pytest.raises(ValueError, match=message):
        deployment.serve(users, segments)
