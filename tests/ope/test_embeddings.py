"""MIPS: unbiased when the category says all about the reward, biased when it does not."""

from __future__ import annotations

import numpy as np
import pytest

from recsim_env import ope
from tests.ope.enumerated import BANDIT_VALUE, LOGGING, TARGET, BanditLog, bandit_log

CATEGORY = np.array([0, 1, 1])


def category_log() -> BanditLog:
    """Rewards that depend on the category alone."""
    log = bandit_log()
    log.reward = np.array([[0.2, 0.9, 0.9], [0.1, 0.4, 0.4], [0.6, 0.3, 0.3]])[log.situation, log.action]
    return log


def category_propensities(log: BanditLog) -> list[np.ndarray]:
    of_item = ope.one_hot(CATEGORY, 2)
    return [
        ope.embedding_propensity(probs[log.situation], CATEGORY[log.action], of_item)
        for probs in (LOGGING, log.target_probs)
    ]


def test_embedding_propensity_by_hand():
    log = category_log()
    propensity = category_propensities(log)[0]
    first = np.flatnonzero((log.situation == 1) & (log.action == 2))[0]
    assert propensity[first] == 0.75  # actions 1 and 2: 1/2 + 1/4


def test_embedding_of_several_dimensions_by_hand():
    probs = [[0.25, 0.75]]
    given_action = np.zeros((2, 2, 2))  # [action, value, dimension]
    given_action[:, :, 0] = [[0.5, 0.5], [0.1, 0.9]]
    given_action[:, :, 1] = [[1.0, 0.0], [0.2, 0.8]]
    found = ope.embedding_propensity(probs, [[1, 0]], given_action)
    assert found == pytest.approx([0.25 * 0.5 * 1.0 + 0.75 * 0.9 * 0.2])


def test_mips_is_unbiased_and_less_spread_when_the_category_says_all():
    log = category_log()
    truth = ope.ips(log.decisions())
    row = ope.mips(log.decisions(), *category_propensities(log))
    assert row.value == pytest.approx(truth.value)
    assert row.standard_error < truth.standard_error
    assert row.largest_weight < truth.largest_weight


def test_mips_is_biased_when_it_does_not():
    log = bandit_log()
    assert abs(ope.mips(log.decisions(), *category_propensities(log)).value - BANDIT_VALUE) > 0.01


def test_mips_with_a_category_for_each_action_is_ips():
    log = bandit_log()
    of_item = ope.one_hot([0, 1, 2], 3)
    propensity = [
        ope.embedding_propensity(probs[log.situation], log.action, of_item) for probs in (LOGGING, TARGET)
    ]
    assert ope.mips(log.decisions(), *propensity).value == pytest.approx(BANDIT_VALUE)
