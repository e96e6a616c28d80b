"""Estimators of slates: each unbiased on all slates under its own assumption on users, and not beyond it."""

from __future__ import annotations

import numpy as np
import pytest

from recsim_env import ope
from tests.ope.enumerated import SECOND_TARGET, SLATES, slate_log, slate_value

ATTRACTION = np.array([0.2, 0.5, 0.9])
EXAMINATION = np.array([1.0, 0.6])

POSITION_BASED = ATTRACTION[SLATES] * EXAMINATION
"""[slate, position]: a click depends on the item and its position."""
CASCADE = np.column_stack(
    [ATTRACTION[SLATES[:, 0]], (1 - ATTRACTION[SLATES[:, 0]]) * ATTRACTION[SLATES[:, 1]]]
)
"""A click ends the reading: the second position depends on the item above."""
ANYTHING = np.random.default_rng(5).normal(size=(6, 2))
"""The first position depends on the second as well."""

# What each estimator claims.
UNBIASED = {
    "slate_ips": [POSITION_BASED, CASCADE, ANYTHING],
    "reward_interaction_ips": [POSITION_BASED, CASCADE],
    "cascade_dr": [POSITION_BASED, CASCADE],
    "independent_ips": [POSITION_BASED],
}
BIASED = {
    "reward_interaction_ips": [ANYTHING],
    "cascade_dr": [ANYTHING],
    "independent_ips": [CASCADE, ANYTHING],
}


def wrong_q(which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A model that says something arbitrary of each first item and each slate, [row, position]."""
    first, slate = np.array([0.7, -0.2, 1.5]), np.array([3.0, 1.0, -2.0, 0.5, 0.1, 2.0])
    return predictions(first, slate, which)


def predictions(first: np.ndarray, slate: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of q and v from a value of each first item and of each slate."""
    table = np.zeros((3, 3))
    table[SLATES[:, 0], SLATES[:, 1]] = slate
    second = (SECOND_TARGET * table).sum(axis=1)
    above = SLATES[which, 0]
    v_first = np.array([0.1, 0.3, 0.6]) @ first
    q = np.column_stack([first[above], slate[which]])
    return q, np.column_stack([np.full(len(which), v_first), second[above]])


def estimate(name: str, reward: np.ndarray, **options) -> ope.Estimate:
    log, which = slate_log(reward)
    if name == "cascade_dr":
        return ope.cascade_dr(log, *wrong_q(which), **options)
    return getattr(ope, name)(log, **options)


@pytest.mark.parametrize(
    ("name", "reward"), [(name, reward) for name, rewards in UNBIASED.items() for reward in rewards]
)
def test_expectation_is_the_truth(name, reward):
    assert estimate(name, reward).value == pytest.approx(slate_value(reward), abs=1e-13)


@pytest.mark.parametrize(
    ("name", "reward"), [(name, reward) for name, rewards in BIASED.items() for reward in rewards]
)
def test_beyond_its_assumption_it_is_biased(name, reward):
    assert abs(estimate(name, reward).value - slate_value(reward)) > 0.01


def test_the_more_is_assumed_the_less_it_varies():
    errors = [
        estimate(name, POSITION_BASED).standard_error
        for name in ("slate_ips", "reward_interaction_ips", "independent_ips")
    ]
    assert errors == sorted(errors, reverse=True)


def test_cascade_dr_with_the_truth_has_no_variance():
    """One situation and certain rewards: nothing is left to vary."""
    log, which = slate_log(CASCADE)
    slate = CASCADE[:, 1]
    table = np.zeros((3, 3))
    table[SLATES[:, 0], SLATES[:, 1]] = slate
    first = ATTRACTION + (SECOND_TARGET * table).sum(axis=1)
    row = ope.cascade_dr(log, *predictions(first, slate, which))
    assert row.value == pytest.approx(slate_value(CASCADE), abs=1e-13)
    assert row.standard_error == pytest.approx(0, abs=1e-15)


def test_by_hand():
    """One slate of two, weights 2 (first), 3 (prefix and slate), items 2 and 1.5."""
    log = ope.LoggedSlates(
        [[1.0, 4.0], [0.0, 0.0]],
        slate=ope.SlatePropensity([0.1, 0.2], [0.3, 0.2]),
        item=ope.SlatePropensity([[0.25, 0.2], [0.5, 0.5]], [[0.5, 0.3], [0.5, 0.5]]),
        prefix=ope.SlatePropensity([[0.25, 0.1], [0.5, 0.2]], [[0.5, 0.3], [0.5, 0.2]]),
        position_weight=[1.0, 0.5],
    )
    slate, item, prefix = ope.evaluate(log)
    assert slate.value == pytest.approx(3 * (1 + 2) / 2)
    assert item.value == pytest.approx((2 * 1 + 1.5 * 2) / 2)
    assert prefix.value == pytest.approx((2 * 1 + 3 * 2) / 2)
    q, v = [[1.0, 1.0], [0.0, 0.0]], [[0.5, 2.0], [0.25, 0.0]]
    # 0.5 + 2 (1 - 1) + 2 * 2 + 3 (2 - 1), and 0.25
    assert ope.cascade_dr(log, q, v).value == pytest.approx((0.5 + 4 + 3 + 0.25) / 2)


def test_a_slate_of_one_is_a_decision():
    luck = np.random.default_rng(3)
    reward, logging, target = luck.normal(size=10), luck.uniform(0.1, 1, 10), luck.uniform(0, 1, 10)
    column = ope.SlatePropensity(logging[:, None], target[:, None])
    log = ope.LoggedSlates(
        reward[:, None], slate=ope.SlatePropensity(logging, target), item=column, prefix=column
    )
    single = ope.ips(ope.LoggedDecisions(reward, logging, target))
    for row in ope.evaluate(log):
        assert row.value == pytest.approx(single.value)
        assert row.standard_error == pytest.approx(single.standard_error)


def test_only_what_the_propensities_allow():
    log = ope.LoggedSlates([[1.0], [0.0]], slate=ope.SlatePropensity([0.5, 0.5], [0.5, 0.5]))
    assert [row.estimator for row in ope.evaluate(log)] == ["slate_ips"]
    with pytest.raises(ValueError, match=r"slates\.prefix: expected the propensities"):
        ope.reward_interaction_ips(log)
