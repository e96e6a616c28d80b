"""Intervals: by hand, against one another, and how often they hold the truth over 500 logs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recsim_env import ope
from recsim_env.ope.intervals import Terms
from tests.ope.enumerated import (
    BANDIT_VALUE,
    CLICK,
    LOGGING,
    LOGGING_STEP,
    NEXT,
    SITUATION,
    BanditLog,
    SessionLog,
    true_q,
    true_ratio,
    true_return,
)

NUM_LOGS = 500
# An interval that holds the truth with probability 0.95 does so in fewer than 450 or in more than 490 of 500
# logs in one of 5,800 series.
COVERED = range(450, 491)
MODEL = CLICK + np.array([[0.3, -0.2, 0.1], [0.2, 0.0, -0.3], [0.1, 0.2, 0.2]])


def draw_bandit(luck: np.random.Generator, num_rows: int) -> BanditLog:
    situation = luck.choice(3, p=SITUATION, size=num_rows)
    action = (luck.random(num_rows)[:, None] > LOGGING[situation].cumsum(axis=1)).sum(axis=1)
    reward = (luck.random(num_rows) < CLICK[situation, action]).astype(float)
    return BanditLog(situation, action, reward)


def draw_sessions(luck: np.random.Generator, num_sessions: int) -> SessionLog:
    """All sessions at once, step by step, then sorted by session."""
    state, rows = np.zeros(num_sessions, dtype=int), []
    for _ in range(3):
        going = np.flatnonzero(state < 3)
        now = state[going]
        action = (luck.random(len(going)) > LOGGING_STEP[now, 0]).astype(int)
        rows.append(np.column_stack([going, now, action]))
        state[going] = (luck.random(len(going))[:, None] > NEXT[now, action].cumsum(axis=1)).sum(axis=1)
    table = np.concatenate(rows)
    return SessionLog(*table[np.argsort(table[:, 0], kind="stable")].T)


def test_single_step_intervals_hold_the_truth():
    """Each in 450 to 490 of 500 logs of 300 rows; fixed seed, chance of a false alarm in COVERED."""
    luck = np.random.default_rng(11)
    hits: dict[str, int] = {}
    for _ in range(NUM_LOGS):
        log = draw_bandit(luck, 300)
        features = np.eye(3)[log.action], log.target_probs[log.situation]
        rows = ope.evaluate(log.decisions(), log.predicted(MODEL))
        rows.append(ope.mrdr(log.decisions(), *features))
        for row in rows:
            hits[row.estimator] = hits.get(row.estimator, 0) + (row.lower <= BANDIT_VALUE <= row.upper)
    # The direct method's interval knows nothing of its model's error.
    assert hits.pop("dm") < 400
    assert {name: count for name, count in hits.items() if count not in COVERED} == {}
    assert len(hits) == 8


def test_session_intervals_hold_the_truth():
    """As above, over sessions of up to three steps."""
    luck = np.random.default_rng(12)
    hits: dict[str, int] = {}
    ratio = true_ratio()
    for _ in range(NUM_LOGS):
        log = draw_sessions(luck, 400)
        sessions = log.sessions()
        rows = ope.evaluate(sessions, log.predicted(true_q(1.0) + 0.5))
        rows.append(ope.fqe(sessions, *log.features()))
        rows.append(ope.marginal_is(sessions, ratio[log.state, log.action]))
        rows.append(ope.tabular_marginal_is(sessions, log.state, 3))
        for row in rows:
            hits[row.estimator] = hits.get(row.estimator, 0) + (row.lower <= true_return(1.0) <= row.upper)
    assert {name: count for name, count in hits.items() if count not in COVERED} == {}
    assert len(hits) == 9


def test_intervals_count_users_not_rows():
    """Each row five times over: an interval over users holds the truth as often, one over rows does not."""
    luck = np.random.default_rng(13)
    by_user = by_row = 0
    for _ in range(NUM_LOGS):
        log = draw_bandit(luck, 200).decisions()
        row = np.repeat(np.arange(200), 5)
        again = ope.LoggedDecisions(
            log.reward[row], log.logging_propensity[row], log.target_propensity[row], row
        )
        users, rows = ope.ips(again), ope.ips(replace(again, unit=None))
        by_user += users.lower <= BANDIT_VALUE <= users.upper
        by_row += rows.lower <= BANDIT_VALUE <= rows.upper
    assert by_user in COVERED
    assert by_row < 350


def test_sessions_of_one_user_are_one_unit():
    """Every session twice over: with users as units the interval stays as wide as it was."""
    log = draw_sessions(np.random.default_rng(16), 60)
    once, n = log.sessions(), len(log.state)
    twice = ope.LoggedSessions(
        np.concatenate([log.session, 1_000 + log.session]),
        *(np.tile(column, 2) for column in (once.reward, once.logging_propensity, once.target_propensity)),
        unit=np.tile(log.session, 2),
    )
    predicted = log.predicted(MODEL[:, :2])
    again = ope.PredictedValues(np.tile(predicted.logged, 2), np.tile(predicted.target, 2))
    pairs = list(zip(ope.evaluate(once, predicted), ope.evaluate(twice, again), strict=True))
    features = log.features()
    pairs.append((ope.fqe(once, *features), ope.fqe(twice, *(np.tile(part, (2, 1)) for part in features))))
    pairs.append(
        (
            ope.tabular_marginal_is(once, log.state, 3),
            ope.tabular_marginal_is(twice, np.tile(log.state, 2), 3),
        )
    )
    for before, after in pairs:
        assert (after.num_rows, after.num_units) == (2 * n, 60)
        assert after.value == pytest.approx(before.value)
        assert after.standard_error == pytest.approx(before.standard_error)


def test_empirical_bernstein_holds_the_truth_in_every_log():
    """Weights of at most 3.6 and rewards of at most 1; with 0.95 guaranteed it is far too wide to miss."""
    luck = np.random.default_rng(14)
    interval = ope.BernsteinInterval(span=3.6)
    for _ in range(100):
        row = ope.ips(draw_bandit(luck, 100).decisions(), interval=interval)
        assert row.lower <= BANDIT_VALUE <= row.upper


def test_empirical_bernstein_by_hand():
    log = ope.LoggedDecisions([0.0, 1.0, 1.0], [0.5] * 3, [0.5] * 3)
    row = ope.ips(log, interval=ope.BernsteinInterval(span=1.0))
    half = np.sqrt(2 * (1 / 3) * np.log(80) / 3) + 7 * np.log(80) / (3 * 2)
    assert row.upper == pytest.approx(2 / 3 + half)
    assert row.lower == pytest.approx(2 / 3 - half)
    assert row.interval == "empirical Bernstein over units, span 1"
    assert row.warnings == ()


def test_empirical_bernstein_is_refused_where_it_does_not_hold():
    log = ope.LoggedDecisions([0.0, 2.0], [0.5] * 2, [0.5] * 2)
    with pytest.raises(ValueError, match="plain means over units only"):
        ope.snips(log, interval=ope.BernsteinInterval(span=10.0))
    with pytest.raises(ValueError, match="span: expected at least the range of the terms, 2, got 1"):
        ope.ips(log, interval=ope.BernsteinInterval(span=1.0))
    with pytest.raises(ValueError, match="span: expected a number in"):
        ope.BernsteinInterval(span=0.0)


@pytest.mark.parametrize("name", ["ips", "snips", "sndr"])
def test_bootstrap_and_normal_agree_in_large_logs(name):
    """2,000 rows and 2,000 resamples: bounds within a tenth of the width."""
    luck = np.random.default_rng(15)
    log = draw_bandit(luck, 2_000)
    data = log.decisions(), log.predicted(MODEL)
    (normal,) = ope.evaluate(*data, estimators=[name])
    bootstrap = ope.BootstrapInterval(luck, num_resamples=2_000)
    (resampled,) = ope.evaluate(*data, estimators=[name], interval=bootstrap)
    width = normal.upper - normal.lower
    assert resampled.value == normal.value
    assert abs(resampled.lower - normal.lower) < width / 10
    assert abs(resampled.upper - normal.upper) < width / 10
    assert resampled.interval == "bootstrap over units, 2000 resamples"


def test_the_same_generator_draws_the_same_bootstrap():
    log = draw_bandit(np.random.default_rng(1), 50).decisions()
    bounds = [
        ope.snips(log, interval=ope.BootstrapInterval(np.random.default_rng(2), 100)).lower for _ in range(2)
    ]
    assert bounds[0] == bounds[1]


def test_resamples_without_weight_are_left_out():
    """One row of three has weight: 8 of 27 resamples miss it, all others give its reward."""
    log = ope.LoggedDecisions([5.0, 1.0, 2.0], [0.5] * 3, [0.5, 0.0, 0.0])
    row = ope.snips(log, interval=ope.BootstrapInterval(np.random.default_rng(3), 200))
    assert (row.lower, row.upper) == (5.0, 5.0)


def test_one_unit_has_no_interval():
    row = ope.ips(ope.LoggedDecisions([1.0], [0.5], [0.5]))
    assert np.isnan([row.lower, row.upper, row.standard_error]).all()
    assert "only 1 independent units: this interval needs at least 30" in row.warnings


def test_a_sum_of_ratios_by_hand():
    terms = Terms(((np.array([1.0, 3.0]), None), (np.array([2.0, 4.0]), np.array([1.0, 2.0]))))
    assert terms.value == 2 + 6 / 3
    assert terms.influence() == pytest.approx([-1 + 0, 1 + 0])
    assert terms.standard_error == pytest.approx(1.0)
