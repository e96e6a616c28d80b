"""What an estimate cannot know is said, not hidden: missing support, and few weights that dominate."""

from __future__ import annotations

import json

import numpy as np
import pytest

from recsim_env import ope

N = 100
LUCK = np.random.default_rng(20)
REWARD = LUCK.uniform(size=N)


def deterministic(target: float) -> ope.LoggedDecisions:
    return ope.LoggedDecisions(REWARD, np.ones(N), np.full(N, target))


def every_single_step(log: ope.LoggedDecisions) -> list[ope.Estimate]:
    flat = ope.PredictedRewards(np.full(N, 0.5), np.full(N, 0.5))
    rows = ope.evaluate(log, flat)
    rows.append(ope.mrdr(log, np.ones((N, 1)), np.ones((N, 1))))
    rows.append(ope.mips(log, log.logging_propensity, log.target_propensity))
    return rows


def test_a_deterministic_logging_policy_is_reported_by_every_estimator():
    sessions = ope.LoggedSessions(np.arange(N) // 2, REWARD, np.ones(N), np.full(N, 0.25))
    values = ope.PredictedValues(np.zeros(N), np.zeros(N))
    one = ope.SlatePropensity(np.ones(N), np.full(N, 0.25))
    column = ope.SlatePropensity(np.ones((N, 1)), np.full((N, 1), 0.25))
    slates = ope.LoggedSlates(REWARD[:, None], slate=one, item=column, prefix=column)
    features = np.ones((N, 1)), np.ones((N, 1))
    rows = [
        *every_single_step(deterministic(0.25)),
        *ope.evaluate(sessions, values),
        ope.marginal_is(sessions, np.ones(N)),
        ope.tabular_marginal_is(sessions, np.zeros(N, dtype=int), 1),
        ope.fqe(sessions, *features),
        *ope.evaluate(slates),
        ope.cascade_dr(slates, np.zeros((N, 1)), np.zeros((N, 1))),
    ]
    assert len(rows) == 23
    for row in rows:
        assert row.unsupported == 0.75, row.estimator
        assert row.warnings[0].startswith("no support: the logging policy was deterministic"), row.estimator
        assert (
            "puts 75.0% of its probability on actions that the logging policy never takes" in row.warnings[1]
        )


def test_a_deterministic_policy_may_be_evaluated_on_its_own_log():
    for row in every_single_step(deterministic(1.0)):
        assert row.unsupported == 0
        assert row.warnings == ()


def test_missing_support_is_known_from_all_probabilities():
    """The target policy puts 0.4 on the third action, which is never logged, in every second row."""
    logging = np.tile([0.5, 0.5, 0.0], (N, 1))
    target = np.tile([0.5, 0.5, 0.0], (N, 1))
    target[1::2] = [0.3, 0.3, 0.4]
    log = ope.LoggedDecisions.from_probs(REWARD, np.zeros(N, dtype=int), logging, target)
    for row in every_single_step(log)[:-1]:
        assert row.unsupported == pytest.approx(0.2)
        assert "20.0% of its probability" in row.warnings[0]
        assert "(first in row 1)" in row.warnings[0]
    (model,) = ope.evaluate(log, ope.PredictedRewards(REWARD, REWARD), estimators=["dm"])
    assert "rests on the predicted rewards alone" in model.warnings[0]
    assert "is biased" in ope.ips(log).warnings[0]


def test_weights_that_do_not_average_one_give_missing_support_away():
    """Only propensities of logged actions are known; half of the target's probability is never met."""
    log = ope.LoggedDecisions(REWARD, np.full(N, 0.5), np.where(np.arange(N) % 2, 0.2, 0.3))
    for row in every_single_step(log):
        assert row.unsupported is None
        assert "average 0.5 +- 0.01 where 1 was to be expected" in row.warnings[0]


def test_a_few_weights_that_dominate():
    target = np.full(N, 0.01)
    target[17] = 1.0
    log = ope.LoggedDecisions(REWARD, np.full(N, 0.01), target)
    log_rows = [ope.ips(log), ope.snips(log)]
    for row in log_rows:
        (warning,) = (text for text in row.warnings if "dominate" in text)
        assert "the top 1% hold 50.3% of the total weight, the largest alone 50.3%" in warning
        assert "the effective sample size is 3.92 of 100" in warning


def test_several_weights_that_dominate_together():
    """Ten of 1,000 rows hold 60% of the weight, none of them more than 6%."""
    weight = np.full(1_000, 0.4 * 1_000 / 990)
    weight[:10] = 0.6 * 1_000 / 10
    row = ope.ips(ope.LoggedDecisions(np.ones(1_000), np.full(1_000, 0.01), 0.01 * weight))
    (warning,) = row.warnings
    assert (
        "a few weights dominate: the top 1% hold 60.0% of the total weight, the largest alone 6.0%" in warning
    )


def test_all_weights_zero():
    log = ope.LoggedDecisions(REWARD, np.full(N, 0.5), np.zeros(N))
    plain, normalised = ope.ips(log), ope.snips(log)
    assert plain.value == 0
    assert np.isnan([normalised.value, normalised.lower, normalised.upper]).all()
    assert plain.warnings[0].startswith("all importance weights are 0")
    assert "undefined: no weight is left to divide by" in normalised.warnings
    assert plain.top_weight_share is None
    resampled = ope.snips(log, interval=ope.BootstrapInterval(np.random.default_rng(0), 50))
    assert np.isnan(resampled.lower)


def test_sessions_that_lose_all_weight_have_no_self_normalised_value():
    log = ope.LoggedSessions([1, 1, 2, 2], [1.0] * 4, [0.5] * 4, [0.5, 0.0, 0.5, 0.0])
    assert ope.per_decision_is(log).value == 1
    assert np.isnan(ope.per_decision_is(log, self_normalised=True).value)


def test_the_least_even_position_of_a_slate_is_reported():
    weights = np.ones((N, 2))
    weights[3, 1] = 0.5
    log = ope.LoggedSlates(np.ones((N, 2)), item=ope.SlatePropensity(np.full((N, 2), 0.5), 0.5 * weights))
    row = ope.independent_ips(log)
    assert row.effective_sample_size == pytest.approx(99.5**2 / 99.25)


def test_rows_are_ready_for_a_table():
    row = ope.ips(deterministic(0.25)).row()
    assert json.loads(json.dumps(row))["unsupported"] == 0.75
    lines = ope.format_table(ope.evaluate(deterministic(0.25))).splitlines()
    assert lines[0].split()[:2] == ["estimator", "value"]
    assert lines[1].split()[0] == "ips"
    assert lines[2].startswith("    ! no support")
