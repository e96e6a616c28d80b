"""Whether and when users return: measured frequencies against the laws in ``ReturnConfig``."""

import numpy as np
import pytest
from scipy import special, stats

from tests.small_worlds import fresh_states, slates_for, small_world
from tests.statistical.reference import ALPHA, SIGMAS

USERS = 20_000
RETURNS = {
    "lifetime_hours": 1e6,
    "gap_median": 30.0,
    "gap_log_std": 0.8,
    "gap_satisfaction": 2.0,
    "churn_bias": -0.5,
    "churn_satisfaction": 4.0,
}


def end_visits(satisfaction, seed=0, **returns):
    """(states before, states after, outcomes) of a step that ends the visit of every user."""
    world = small_world(1, returns=RETURNS | returns, preferences={"satisfaction_memory": 1.0})
    states, _ = fresh_states(world, np.arange(USERS), seed)
    states["satisfaction"], states["patience"] = satisfaction, 1e-3
    before = states.copy()
    outcomes, _ = world.step(seed, states, slates_for(world, states))
    return before, states, outcomes


@pytest.mark.parametrize("satisfaction", [0.0, 0.5, 0.9])
def test_users_churn_and_return_as_the_laws_say(satisfaction):
    before, after, outcomes = end_visits(satisfaction)
    expected = special.expit(-0.5 - 4.0 * (satisfaction - 0.5))
    error = np.sqrt(expected * (1 - expected) / USERS)
    assert abs(outcomes["terminated"].mean() - expected) < SIGMAS * error
    back = ~outcomes["terminated"]
    gap = (after["hour"] - before["hour"])[back]
    law = stats.norm(np.log(30.0) - 2.0 * (satisfaction - 0.5), 0.8)
    assert stats.kstest(np.log(gap), law.cdf).pvalue > ALPHA
    np.testing.assert_array_equal(after["hours_away"][back], np.ceil(gap))


def test_the_luck_of_churn_and_of_the_gap_are_independent():
    """Among those who are back the gap does not depend on how narrowly they stayed."""
    _, low, _ = end_visits(0.5, churn_bias=-6.0)
    _, high, outcomes = end_visits(0.5, churn_bias=0.5)
    back = ~outcomes["terminated"]
    both = low["hour"][back]
    np.testing.assert_array_equal(both, high["hour"][back])
    stayed, others = np.log(both), np.log(low["hour"][~back & (low["visit"] == 1)])
    assert stats.ks_2samp(stayed, others).pvalue > ALPHA


def test_a_lifetime_cuts_what_would_come_later():
    """P(truncated) = P(no churn) P(gap >= lifetime)."""
    _, _, outcomes = end_visits(0.5, lifetime_hours=40.0)
    stays = 1 - special.expit(-0.5)
    expected = stays * stats.norm.sf(np.log(40.0 / 30.0) / 0.8)
    error = np.sqrt(expected * (1 - expected) / USERS)
    assert abs(outcomes["truncated"].mean() - expected) < SIGMAS * error
    assert not (outcomes["truncated"] & outcomes["terminated"]).any()
