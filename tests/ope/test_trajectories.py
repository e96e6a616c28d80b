"""Estimators of whole sessions: by hand, and on a decision process whose sessions are all written down."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsim_env import ope
from tests.ope.enumerated import (
    REWARD,
    session_log,
    true_q,
    true_ratio,
    true_return,
)

WRONG = np.array([[3.0, -1.0], [0.5, 0.5], [2.0, 7.0]])

# Session 8 of two steps, weights 2 then 1 (product 2, 2); session 5 of one step, weight 0.5.
TWO = ope.LoggedSessions([8, 8, 5], [1.0, 4.0, 3.0], [0.25, 0.5, 0.5], [0.5, 0.5, 0.25], discount=0.5)
MODEL = ope.PredictedValues([1.0, 2.0, 2.0], [0.5, 1.0, 3.0])


def by_name(log, predicted=None) -> dict[str, ope.Estimate]:
    return {row.estimator: row for row in ope.evaluate(log, predicted)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trajectory_is", (2 * (1 + 0.5 * 4) + 0.5 * 3) / 2),
        ("trajectory_is_sn", (2 * (1 + 0.5 * 4) + 0.5 * 3) / 2.5),
        ("per_decision_is", (2 * 1 + 2 * 0.5 * 4 + 0.5 * 3) / 2),
        # session 5 has ended before step 1 and keeps its weight 0.5
        ("per_decision_is_sn", (2 * 1 + 0.5 * 3) / 2.5 + 0.5 * (2 * 4) / 2.5),
        ("sequential_dr", (0.5 + 2 * (1 - 1) + 0.5 * (2 * 1 + 2 * (4 - 2)) + 3 + 0.5 * (3 - 2)) / 2),
        (
            "sequential_dr_sn",
            (0.5 + 3) / 2 + (2 * 0 + 0.5 * 1) / 2.5 + 0.5 * (2 * 1 / 2.5 + 2 * 2 / 2.5),
        ),
    ],
)
def test_by_hand(name, value):
    assert by_name(TWO, MODEL)[name].value == pytest.approx(value, rel=1e-14)


def test_weights_and_steps_by_hand():
    log = ope.LoggedSessions([1, 1, 1, 2], [0.0] * 4, [0.5, 0.25, 0.5, 1], [1, 0.5, 0, 1])
    assert list(log.step) == [0, 1, 2, 0]
    assert list(log.cumulative_weight) == [2, 4, 0, 1]
    assert list(log.previous_weight) == [1, 2, 4, 1]
    assert list(log.session_weight) == [0, 1]


@pytest.mark.parametrize("discount", [1.0, 0.9, 0.0])
@pytest.mark.parametrize("model", [WRONG, np.zeros((3, 2))])
def test_expectation_is_the_truth(discount, model):
    log = session_log()
    for row in ope.evaluate(log.sessions(discount), log.predicted(model)):
        assert row.value == pytest.approx(true_return(discount), abs=1e-12), row.estimator
        assert row.warnings == ()


def test_sequential_dr_with_the_true_values_forgives_wrong_propensities():
    """Rewards follow from state and action, but where a session goes on does not: only the mean is kept."""
    log = session_log()
    wrong = replace(log.sessions(), logging_propensity=np.full(len(log.state), 0.5))
    assert ope.per_decision_is(wrong).value != pytest.approx(true_return(1.0), rel=0.02)
    assert ope.sequential_dr(wrong, log.predicted(true_q(1.0))).value == pytest.approx(true_return(1.0))


def test_the_true_values_make_the_least_variance():
    """Jiang and Li (2016), theorem 1: what a wrong model leaves is added, and no model is a wrong one."""
    log = session_log()
    errors = [
        ope.sequential_dr(log.sessions(), log.predicted(model)).standard_error
        for model in (true_q(1.0), np.zeros((3, 2)), WRONG)
    ]
    assert errors == sorted(errors)
    assert errors[1] == pytest.approx(ope.per_decision_is(log.sessions()).standard_error)


def test_one_step_sessions_are_single_decisions():
    luck = np.random.default_rng(1)
    reward, logging, target = luck.normal(size=20), luck.uniform(0.1, 1, 20), luck.uniform(0, 1, 20)
    log = ope.LoggedSessions(np.arange(20), reward, logging, target)
    single = ope.LoggedDecisions(reward, logging, target)
    for many in (ope.trajectory_is, ope.per_decision_is):
        assert many(log).value == pytest.approx(ope.ips(single).value)
        assert many(log, self_normalised=True).value == pytest.approx(ope.snips(single).value)
        assert many(log, self_normalised=True).standard_error == pytest.approx(
            ope.snips(single).standard_error
        )


def test_true_density_ratios_are_unbiased():
    log = session_log()
    row = ope.marginal_is(log.sessions(), true_ratio()[log.state, log.action])
    assert row.value == pytest.approx(true_return(1.0), abs=1e-12)
    assert row.standard_error < ope.per_decision_is(log.sessions()).standard_error


@pytest.mark.parametrize("discount", [1.0, 0.7])
@pytest.mark.parametrize("by_step", [True, False])
def test_estimated_density_ratios_find_the_truth(by_step, discount):
    log = session_log()
    sessions = log.sessions(discount)
    ratio = ope.state_ratio(sessions, log.state, 3, by_step=by_step)
    row = ope.marginal_is(sessions, ratio * sessions.step_weight)
    assert row.value == pytest.approx(true_return(discount), abs=1e-12)
    table = ope.tabular_marginal_is(sessions, log.state, 3, by_step=by_step)
    assert table.value == pytest.approx(row.value, abs=1e-12)


def test_state_ratio_by_step_by_hand():
    """At step 1 two sessions are in state 1, with weights 2 and 0.5 before: their mean."""
    log = ope.LoggedSessions([1, 1, 2, 2], [0.0] * 4, [0.5] * 4, [1.0, 0.5, 0.25, 0.5])
    assert list(ope.state_ratio(log, [0, 1, 0, 1], 2)) == [1, 1.25, 1, 1.25]
    assert list(ope.state_ratio(log, [0, 1, 0, 1], 2, by_step=False)) == pytest.approx([1, 1.25, 1, 1.25])


def test_tabular_marginal_is_of_one_step_by_hand():
    """One state: the mean of weight times reward, 2, 1 and 0, and its standard error."""
    log = ope.LoggedSessions([1, 2, 3], [1.0, 2.0, 4.0], [0.25, 0.5, 0.5], [0.5, 0.25, 0.0])
    for by_step in (True, False):
        row = ope.tabular_marginal_is(log, [0, 0, 0], 1, by_step=by_step)
        assert row.value == pytest.approx(1.0)
        assert row.standard_error == pytest.approx(np.sqrt(2 / 6))


@pytest.mark.parametrize("discount", [1.0, 0.8])
def test_fitted_q_of_a_table_is_the_truth(discount):
    log = session_log()
    sessions = log.sessions(discount)
    fitted = ope.fit_q(sessions, *log.features())
    assert fitted.coefficients.reshape(3, 2) == pytest.approx(true_q(discount), abs=1e-9)
    assert fitted.predicted.logged == pytest.approx(true_q(discount)[log.state, log.action], abs=1e-9)
    assert ope.fqe(sessions, *log.features()).value == pytest.approx(true_return(discount), abs=1e-9)


def test_fitted_q_feeds_sequential_dr():
    log = session_log()
    fitted = ope.fit_q(log.sessions(), *log.features())
    row = ope.sequential_dr(log.sessions(), fitted.predicted)
    assert row.value == pytest.approx(true_return(1.0), abs=1e-9)


def test_fqe_of_one_step_by_hand():
    """A table of one state: the mean reward of each action, 2 and 5, weighted by the target policy."""
    target = np.full((3, 2), [0.25, 0.75])
    features = ope.tabular_features([0, 0, 0], [0, 0, 1], target, 1)
    log = ope.LoggedSessions([1, 2, 3], [1.0, 3.0, 5.0], [0.5] * 3, [0.25, 0.25, 0.75])
    row = ope.fqe(log, *features)
    assert row.value == pytest.approx(0.25 * 2 + 0.75 * 5)
    # influences: 3 * 0.25 / 2 * (-1, 1), 0
    assert row.standard_error == pytest.approx(np.sqrt(2 * 0.375**2 / 6))
    assert row.effective_sample_size is None


def test_fqe_that_does_not_settle_says_so():
    """One feature that doubles each step: the value grows without end."""
    log = ope.LoggedSessions([1, 1], [1.0, 1.0], [0.5, 0.5], [0.5, 0.5])
    with pytest.raises(ValueError, match="has not settled within 10000 iterations"):
        ope.fit_q(log, [[1.0], [0.1]], [[1.0], [3.0]])


lengths = st.lists(st.integers(1, 5), min_size=2, max_size=8)


@given(lengths, st.integers(0, 2**32 - 1))
def test_a_constant_prediction_of_zero_is_no_prediction(lengths, seed):
    log = random_sessions(lengths, seed)
    nothing = ope.PredictedValues(np.zeros(len(log)), np.zeros(len(log)))
    rows = by_name(log, nothing)
    for end in ("", "_sn"):
        dr, plain = rows[f"sequential_dr{end}"], rows[f"per_decision_is{end}"]
        assert dr.value == pytest.approx(plain.value, abs=1e-12)
        assert dr.standard_error == pytest.approx(plain.standard_error, abs=1e-9)


@given(lengths, st.integers(0, 2**32 - 1))
def test_the_order_of_sessions_does_not_matter(lengths, seed):
    log = random_sessions(lengths, seed)
    rows = np.concatenate([np.flatnonzero(log.session == one) for one in range(len(lengths))[::-1]])
    moved = ope.LoggedSessions(
        log.session[rows],
        log.reward[rows],
        log.logging_propensity[rows],
        log.target_propensity[rows],
        log.discount,
    )
    for one, other in zip(ope.evaluate(log), ope.evaluate(moved), strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-12)
        assert one.standard_error == pytest.approx(other.standard_error, abs=1e-9)


@given(lengths, st.integers(0, 2**32 - 1))
def test_weights_are_the_product_of_the_steps_before(lengths, seed):
    log = random_sessions(lengths, seed)
    for session in range(len(lengths)):
        rows = log.session == session
        assert log.cumulative_weight[rows] == pytest.approx(np.cumprod(log.step_weight[rows]))


def random_sessions(lengths, seed) -> ope.LoggedSessions:
    luck = np.random.default_rng(seed)
    n = sum(lengths)
    session = np.repeat(np.arange(len(lengths)), lengths)
    logging, target = luck.uniform(0.2, 1, n), luck.uniform(0.1, 1, n)
    return ope.LoggedSessions(session, luck.normal(size=n), logging, target, discount=0.9)


def test_rewards_of_the_process_are_as_drawn():
    """The log holds what its table says: a check of the test's own bookkeeping."""
    log = session_log()
    assert log.sessions().reward == pytest.approx(REWARD[log.state, log.action])
    assert log.sessions().num_sessions == 128
