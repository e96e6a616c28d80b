"""The offline experiment: its sweeps, its scores apart from any run, and the truth behind estimates."""

import numpy as np
import pytest

from agents import LoggingPolicy, Popular, RandomPolicy, make_logging_policy
from benchmarks.experiments import offline
from benchmarks.experiments.claims import judged
from benchmarks.experiments.offline_estimates import rank_correlation
from benchmarks.experiments.offline_task import ESTIMATORS, evaluation_log
from benchmarks.experiments.serve import changed_world
from recsim_env import ope
from tests.benchmarks.test_experiments import SMALL as SMALL_SIZES

SMALL = SMALL_SIZES["offline"]


def results_of(size, seeds, returns, estimates):
    """A result for each task: returns and estimates by arm, the same noise for all arms of a seed."""
    luck = np.random.default_rng(0).normal(scale=0.01, size=len(seeds))
    found = {}
    for place, seed in enumerate(seeds):
        for policy in offline.served_of(size):
            own = {"uniform": 1.0, "myopic": 3.0}.get(policy, 2.0)
            found[offline.served_task(policy, seed)] = {"return": own}
        for arm in offline.arms_of(size):
            earned = returns(arm) + luck[place]
            learner, policy, decisions = arm
            task = offline.training_task(offline.LEARNERS[learner][0], policy, decisions, seed)
            found.setdefault(task, {})[learner] = {
                "return": earned,
                "decision": earned / 5,
                "effective_share": 0.5,
                "estimates": {name: estimates(name, arm, earned) for name in ESTIMATORS},
            }
    assert set(found) == {task.name for task in offline.tasks(size, seeds)}
    return found.__getitem__


def test_every_log_is_made_once():
    for size in offline.SIZES.values():
        logs = offline.logs_of(size)
        assert len(set(logs)) == len(logs)
        assert ("logging", size["base_size"]) in logs
        assert size["base_size"] in size["log_sizes"]
        assert {policy for policy, _ in logs} <= set(offline.POLICIES)


def test_shares_findings_and_estimates_from_results():
    size, seeds = SMALL, list(range(10))
    order = {learner: number for number, learner in enumerate(size["learners"])}

    def returns(arm):
        return 1.5 + 0.2 * order[arm[0]] + (0.5 if arm[2] == 600 else 0.0)

    def estimates(name, arm, earned):
        if name == "snips":
            return earned / 5 + 0.1
        if name == "dm":
            return -earned
        return None if name == "fqe" and arm[0] == "next-item" else 1.0

    found = offline.score(results_of(size, seeds, returns, estimates), size, seeds)
    value = {(one["agent"], one["metric"]): one["value"] for one in found.rows}
    assert value["ips recorded, logging 600", "gap_share"] == pytest.approx(0.5, abs=0.01)
    assert value["next-item, logging 600", "gap_share"] == pytest.approx(0.7, abs=0.01)
    assert value["logging", "gap_share"] == pytest.approx(0.5)
    assert value["uniform", "gap_share"] == 0.0
    assert value["snips", "rank_correlation"] == pytest.approx(1.0)
    assert value["dm", "rank_correlation"] == pytest.approx(-1.0)
    assert value["dr", "rank_correlation"] == 0.0
    # snips: (r/5 + 0.1 - r/5) / (r/5) = 0.5 / r, over returns of 1.5 (200 rows), 2 and their kin
    expected = np.mean([0.5 / returns(arm) for arm in offline.arms_of(size)])
    assert value["snips", "relative_bias"] == pytest.approx(expected, rel=0.02)
    said = {finding.text.split(", by")[0]: finding.shown for finding in found.findings}
    place = size["scenario"]
    assert said[
        f"{place}: share of the gap of ips recorded on 600 decisions of logging is above that of "
        "ips recorded on 200 decisions of logging"
    ]
    assert said[
        f"{place}: rank correlation of snips with the true return, among policies of one log, is above 0"
    ]
    assert not said[
        f"{place}: rank correlation of dr with the true return, among policies of one log, "
        "is not shown to differ from 0"
    ]
    assert said[
        f"{place}: share of the gap of next-item on 600 decisions of logging is above that of "
        "ips recorded on 600 decisions of logging"
    ]
    asked = offline.questions(
        size,
        {arm: np.zeros(10) for arm in offline.arms_of(size)},
        {policy: np.zeros(10) for policy in offline.served_of(size)},
    )
    # 3 learners; of the contests sqn q and next-item against ips, on three logs
    assert {question: len(claims) for question, claims in asked.items()} == {
        "length": 3,
        "support": 3,
        "method": 6,
        "quality": 6,
    }
    points = found.curves["scatter"]
    assert len(points["snips"]) == len(offline.arms_of(size))
    assert all(one["learner"] != "next-item" for one in points["fqe"])


def test_one_seed_shows_nothing():
    found = offline.score(results_of(SMALL, [3], lambda arm: 2.0, lambda name, arm, earned: 1.0), SMALL, [3])
    assert found.findings == []
    assert judged("offline", "Tiny-v0", []) == ([], [])


def test_spearman_by_hand():
    # Ranks 1, 2.5, 2.5, 4 against 1, 3, 2, 4: 4.5 / sqrt(4.5 * 5)
    assert rank_correlation(np.array([1, 2, 2, 9]), np.array([0, 7, 5, 8])) == pytest.approx(
        4.5 / np.sqrt(4.5 * 5)
    )
    assert rank_correlation(np.ones(3), np.arange(3)) == 0.0
    assert rank_correlation(np.ones(1), np.ones(1)) == 0.0


def test_the_truth_of_a_decision_is_what_ips_estimates():
    """With full support and 20,000 decisions IPS, unbiased by theory, must be near the exact figure."""
    tiny_world = changed_world("Tiny-v0", {})
    catalog = tiny_world.public_catalog
    logging = RandomPolicy(len(catalog.topic), 1, catalog)
    target = make_logging_policy("greedy", tiny_world).policy
    log, exact = evaluation_log(tiny_world, "Tiny-v0", logging, target, 1_000, 5_000)
    asked = ope.policy_on_log(log, target, len(catalog.topic))
    estimate = ope.ips(ope.decisions_from_log(log, asked))
    # The interval misses in one of twenty logs; this one is fixed.
    assert estimate.lower < exact < estimate.upper
    assert estimate.upper - estimate.lower < 0.06
    assert abs(exact - log.reward.mean()) > 0.03, "else the logging policy's own reward would do as well"
    itself, own = evaluation_log(tiny_world, "Tiny-v0", LoggingPolicy(catalog), Popular(catalog), 1_000, 50)
    assert np.isfinite(own)
    assert itself.policy == LoggingPolicy(catalog).name


def test_no_question_has_more_claims_than_ten_seeds_can_show():
    for size in offline.SIZES.values():
        share = {arm: np.zeros(10) for arm in offline.arms_of(size)}
        asked = offline.questions(size, share, {policy: np.zeros(10) for policy in offline.served_of(size)})
        assert max(map(len, asked.values())) <= 25
