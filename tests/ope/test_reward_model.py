"""MRDR: its weights and its least squares by hand, and its variance against that of plain DR."""

from __future__ import annotations

import numpy as np
import pytest

from recsim_env import ope
from tests.ope.enumerated import CLICK, SITUATION, bandit_log

THREE = ope.LoggedDecisions([1.0, 3.0, 5.0], [0.25, 0.5, 0.2], [0.5, 0.25, 0.0])


def test_mrdr_weights_by_hand():
    # target (1 - logging) / logging^2: 0.5 * 0.75 / 0.0625, 0.25 * 0.5 / 0.25, 0
    assert ope.mrdr_weight(THREE) == pytest.approx([6, 0.5, 0])


def test_mrdr_has_less_variance_than_dr_with_least_squares():
    """A deterministic target and a model that cannot be right: one mean for each action."""
    log = bandit_log()
    log.target_probs = np.array([[0, 0, 1.0], [0, 1, 0], [1, 0, 0]])
    features = np.eye(3)[log.action], log.target_probs[log.situation]
    decisions = log.decisions()
    plain = ope.fit_linear(features[0], log.reward)
    table = np.tile(plain, (3, 1))
    robust = ope.mrdr(decisions, *features, folds=1)
    assert robust.value == pytest.approx((SITUATION * CLICK[[0, 1, 2], [2, 1, 0]]).sum())
    assert robust.standard_error < ope.dr(decisions, log.predicted(table)).standard_error


def test_mrdr_predicts_across_folds():
    """Two rows, two folds, one constant feature: each is predicted by the other's reward."""
    log = ope.LoggedDecisions([1.0, 3.0], [0.5, 0.5], [0.5, 0.25])
    row = ope.mrdr(log, [[1.0], [1.0]], [[1.0], [1.0]], folds=2)
    assert row.value == pytest.approx(((3 + 1 * (1 - 3)) + (1 + 0.5 * (3 - 1))) / 2)


def test_least_squares_with_weights_and_ridge_by_hand():
    # (2 * 1 + 1 * 2 * 3) / (2 * 1 + 4 + 2)
    assert ope.fit_linear([[1.0], [2.0]], [1.0, 3.0], [2.0, 1.0], ridge=2.0) == pytest.approx([1.0])
