"""The experiment on exploring: its arms, its explorers that learn, and its score."""

import numpy as np
import pytest

from benchmarks.experiments import exploration
from benchmarks.experiments.exploration_learning import BY_DECISION, CURVE_STEP, score_learner
from benchmarks.style import sweep_looks


def test_the_frontier_leaves_out_what_is_beaten_in_both():
    means = {
        "a": {"reward_per_user": 3.0, "tail_share": 0.1},
        "b": {"reward_per_user": 2.0, "tail_share": 0.5},
        "c": {"reward_per_user": 1.5, "tail_share": 0.4},
    }
    text = exploration.frontier_finding("Tiny-v0", means).text
    assert "a (3.00, 10%), b (2.00, 50%)" in text
    assert "c (" not in text


def test_an_explorer_that_learns_is_repeatable_and_its_regret_adds_up():
    results = [score_learner("Tiny-v0", "Thompson 0.3", 1_000, 300, lambda done: None) for _ in range(2)]
    assert results[0] == results[1]
    metrics, curve = results[0]["metrics"], results[0]["curves"][BY_DECISION]
    decisions = 300 * 6
    assert len(curve) == decisions // CURVE_STEP + 1
    total = metrics["regret_per_step"] * decisions
    per_step = (total - curve[-1]) / (decisions - CURVE_STEP * (len(curve) - 1))
    assert per_step == pytest.approx(metrics["late_regret_per_step"], rel=0.2)


def test_exploring_learns_what_greed_does_not():
    """InterestExploration hides what items are worth. Seven seeds, sign test: by chance in 1 of 128 runs."""
    late = {
        arm: [
            score_learner("InterestExploration-v0", arm, seed, 70, lambda done: None)["metrics"]
            for seed in range(1_000, 1_007)
        ]
        for arm in ("greedy", "UCB 0.3")
    }
    pairs = zip(late["greedy"], late["UCB 0.3"], strict=True)
    assert all(one["late_regret_per_step"] > other["late_regret_per_step"] for one, other in pairs)


def test_means_by_decision_end_with_the_first_seed():
    results = [
        {"curves": {BY_DECISION: [0.0, 1.0, 2.0], "coverage": [0.5]}},
        {"curves": {BY_DECISION: [0.0, 3.0], "coverage": [0.1, 0.3]}},
    ]
    assert exploration.mean_curves(results) == {BY_DECISION: [0.0, 2.0], "coverage": [0.3, 0.4]}


def test_differences_to_greedy_are_corrected_for_their_number():
    generator = np.random.default_rng(0)
    luck = generator.normal(size=10)
    rewards = {
        exploration.REFERENCE: luck,
        "worse": luck - 1 + 0.1 * generator.normal(size=10),
        "same": luck + 0.1 * generator.normal(size=10),
    }
    rows, findings = exploration.against_greedy("Tiny-v0", rewards, exploration.REFERENCE)
    assert [finding.shown for finding in findings] == [True, False]
    assert "earns less than epsilon 0" in findings[0].text
    assert rows[0]["p_corrected"] == pytest.approx(2 * 2 / 2**10)


def test_arms_of_a_sweep_differ_in_more_than_colour():
    for arms in (exploration.ARMS, exploration.LEARNERS):
        looks = sweep_looks(list(arms))
        families = {name: look for name, look in looks.items() if " " in name}
        assert len({(look.marker, str(look.dash)) for look in families.values()}) == len(families)
        assert len({look.colour for look in looks.values()}) == len(looks)
