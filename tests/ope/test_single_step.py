"""Estimators of single decisions: by hand, by enumeration, and by what must hold for any log."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsim_env import ope
from recsim_env.ope.single_step import default_max_weight
from tests.ope.enumerated import (
    BANDIT_VALUE,
    CLICK,
    LOGGING,
    SITUATION,
    TARGET,
    BanditLog,
    bandit_log,
    outcomes,
)

WRONG = np.array([[0.9, -3.0, 0.1], [2.0, 0.0, 1.0], [-1.0, 5.0, 0.3]])

# Three rows: weights 2, 0.5 and 0; rewards 1, 3 and 5; predictions q 2, 1 and 4 with v 1, 2 and 3.
THREE = ope.LoggedDecisions([1.0, 3.0, 5.0], [0.25, 0.5, 0.2], [0.5, 0.25, 0.0])
MODEL = ope.PredictedRewards([2.0, 1.0, 4.0], [1.0, 2.0, 3.0])


def by_name(log, predicted, **options) -> dict[str, ope.Estimate]:
    return {row.estimator: row for row in ope.evaluate(log, predicted, **options)}


@pytest.mark.parametrize(
    ("name", "options", "value"),
    [
        ("ips", {}, (2 * 1 + 0.5 * 3) / 3),
        ("clipped_ips", {"max_weight": 1.0}, (1 * 1 + 0.5 * 3) / 3),
        ("snips", {}, (2 * 1 + 0.5 * 3) / 2.5),
        ("dm", {}, 2.0),
        ("dr", {}, 2.0 + (2 * -1 + 0.5 * 2) / 3),
        ("sndr", {}, 2.0 + (2 * -1 + 0.5 * 2) / 2.5),
        ("switch_dr", {"max_weight": 1.0}, 2.0 + (0.5 * 2) / 3),
        ("dr_shrinkage", {"shrinkage": 4.0}, 2.0 + (4 * 2 / 8 * -1 + 4 * 0.5 / 4.25 * 2) / 3),
    ],
)
def test_by_hand(name, options, value):
    (row,) = ope.evaluate(THREE, MODEL, estimators=[name], options={name: options})
    assert row.value == pytest.approx(value, rel=1e-14)


def test_figures_of_the_weights_by_hand():
    row = ope.ips(THREE)
    assert row.effective_sample_size == pytest.approx(2.5**2 / 4.25)
    assert row.largest_weight == 2
    assert row.top_weight_share == pytest.approx(2 / 2.5)  # the top 1% of 3 rows is one row
    assert (row.num_rows, row.num_units, row.unsupported) == (3, 3, None)


def test_standard_error_of_ips_by_hand():
    """Terms 2, 1.5 and 0: variance 13/12, so sqrt(13/36)."""
    row = ope.ips(THREE)
    assert row.standard_error == pytest.approx(np.sqrt(13 / 36))
    assert row.upper - row.value == pytest.approx(1.959963984540054 * np.sqrt(13 / 36))


def test_units_are_what_varies():
    """Two users with terms (2, 1.5) and 0: mean per row 3.5 / 3, each user's distance from it 3.5 / 3."""
    row = ope.ips(replace(THREE, unit=[7, 7, 3]))
    assert row.value == pytest.approx(3.5 / 3)
    assert row.num_units == 2
    # influences (3.5 - 2 * 3.5 / 3) / 1.5 and (0 - 3.5 / 3) / 1.5
    assert row.standard_error == pytest.approx(np.sqrt(2 * (3.5 / 4.5) ** 2 / 2))


@pytest.mark.parametrize("name", ["ips", "snips", "dr", "sndr"])
def test_expectation_is_the_truth(name):
    log = bandit_log()
    row = by_name(log.decisions(), log.predicted(WRONG))[name]
    assert row.value == pytest.approx(BANDIT_VALUE, abs=1e-14)
    assert row.warnings == ()


def test_dm_is_as_wrong_as_its_model():
    log = bandit_log()
    assert ope.dm(log.decisions(), log.predicted(CLICK)).value == pytest.approx(BANDIT_VALUE)
    bias = SITUATION @ (TARGET * (WRONG - CLICK)).sum(axis=1)
    assert ope.dm(log.decisions(), log.predicted(WRONG)).value - BANDIT_VALUE == pytest.approx(bias)


def test_dr_with_the_true_model_forgives_wrong_propensities():
    log = bandit_log()
    wrong = replace(log.decisions(), logging_propensity=np.full(64, 0.5))
    assert ope.ips(wrong).value != pytest.approx(BANDIT_VALUE, rel=0.1)
    assert ope.dr(wrong, log.predicted(CLICK)).value == pytest.approx(BANDIT_VALUE, abs=1e-14)


@pytest.mark.parametrize(("name", "model"), [("ips", None), ("dr", WRONG), ("dr", CLICK)])
def test_mean_and_variance_over_all_logs_of_two_rows(name, model):
    """Unbiased for two rows too, with half the variance of one; 324 logs and their probabilities."""
    values, chances = [], []
    for (x, a, r, p), (y, b, s, q) in product(outcomes(), repeat=2):
        log = BanditLog(np.array([x, y]), np.array([a, b]), np.array([r, s]))
        predicted = None if model is None else log.predicted(model)
        values.append(ope.evaluate(log.decisions(), predicted, estimators=[name])[0].value)
        chances.append(p * q)
    mean = np.dot(values, chances)
    assert mean == pytest.approx(BANDIT_VALUE, abs=1e-13)
    assert np.dot((np.array(values) - mean) ** 2, chances) == pytest.approx(variance_of_one(model) / 2)


def variance_of_one(model: np.ndarray | None) -> float:
    """Closed form: Dudik, Langford and Li (2011), theorem 2, with true propensities; IPS has the model 0.

    Var_x(V) + E[w^2 Var(r)] + E_x[Var_a(w (q - mu))]
    """
    error = (np.zeros_like(CLICK) if model is None else model) - CLICK
    weight = TARGET / LOGGING
    value = (TARGET * CLICK).sum(axis=1)
    noise = (LOGGING * weight**2 * CLICK * (1 - CLICK)).sum(axis=1)
    spread = (LOGGING * (weight * error) ** 2).sum(axis=1) - (TARGET * error).sum(axis=1) ** 2
    return float(SITUATION @ value**2 - (SITUATION @ value) ** 2 + SITUATION @ (noise + spread))


@pytest.mark.parametrize("model", [None, WRONG, CLICK])
def test_standard_error_is_that_of_theory(model):
    log = bandit_log()
    row = ope.ips(log.decisions()) if model is None else ope.dr(log.decisions(), log.predicted(model))
    assert row.standard_error**2 == pytest.approx(variance_of_one(model) / 63)


def test_with_a_perfect_model_of_certain_rewards_weights_add_no_variance():
    """What is left is how situations differ."""
    log = bandit_log()
    log.reward = CLICK[log.situation, log.action]
    row = ope.dr(log.decisions(), log.predicted(CLICK))
    value = (TARGET * CLICK).sum(axis=1)
    assert row.standard_error**2 == pytest.approx((SITUATION @ value**2 - BANDIT_VALUE**2) / 63)


numbers = st.floats(-5, 5, allow_subnormal=False)
rows = st.tuples(numbers, st.floats(0.05, 1), st.floats(0, 1), numbers, numbers, st.integers(0, 3))
logs = st.lists(rows, min_size=2, max_size=30)


def unpack(rows) -> tuple[ope.LoggedDecisions, ope.PredictedRewards]:
    reward, logging, target, q, v, unit = np.array(rows).T
    target[0] = 0.5  # so that some weight is not 0
    return ope.LoggedDecisions(reward, logging, target, unit.astype(int)), ope.PredictedRewards(q, v)


@given(logs, st.floats(-10, 10))
def test_a_constant_added_to_rewards_is_added_to_snips(rows, constant):
    log, _ = unpack(rows)
    before, after = ope.snips(log), ope.snips(replace(log, reward=log.reward + constant))
    assert after.value == pytest.approx(before.value + constant, abs=1e-9)
    assert after.standard_error == pytest.approx(before.standard_error, abs=1e-7, nan_ok=True)


@given(logs)
def test_snips_stays_within_the_rewards(rows):
    log, _ = unpack(rows)
    assert log.reward.min() - 1e-9 <= ope.snips(log).value <= log.reward.max() + 1e-9


@given(logs)
def test_the_ends_of_the_families_meet(rows):
    log, model = unpack(rows)
    dr, dm, ips, snips = ope.dr(log, model), ope.dm(log, model), ope.ips(log), ope.snips(log)
    nothing = ope.PredictedRewards(np.zeros(len(log)), np.zeros(len(log)))
    for same, ours in [
        (ips, ope.clipped_ips(log, max_weight=np.inf)),
        (dr, ope.switch_dr(log, model, max_weight=np.inf)),
        (dm, ope.switch_dr(log, model, max_weight=0)),
        (dr, ope.dr_shrinkage(log, model, shrinkage=np.inf)),
        (dm, ope.dr_shrinkage(log, model, shrinkage=0)),
        (ips, ope.dr(log, nothing)),
        (snips, ope.sndr(log, nothing)),
    ]:
        assert ours.value == pytest.approx(same.value, abs=1e-9)
        assert ours.standard_error == pytest.approx(same.standard_error, abs=1e-7, nan_ok=True)


@given(logs, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows, luck):
    log, model = unpack(rows)
    order = list(range(len(log)))
    luck.shuffle(order)
    moved = ope.LoggedDecisions(
        log.reward[order], log.logging_propensity[order], log.target_propensity[order], log.unit[order]
    )
    model_moved = ope.PredictedRewards(model.logged[order], model.target[order])
    for before, after in zip(ope.evaluate(log, model), ope.evaluate(moved, model_moved), strict=True):
        assert after.value == pytest.approx(before.value, abs=1e-9)
        assert after.standard_error == pytest.approx(before.standard_error, abs=1e-7, nan_ok=True)


@given(logs)
def test_a_unit_for_each_row_is_no_unit(rows):
    log, model = unpack(rows)
    with_units = ope.evaluate(replace(log, unit=np.arange(len(log))[::-1]), model)
    for one, other in zip(ope.evaluate(replace(log, unit=None), model), with_units, strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-9)
        assert one.standard_error == pytest.approx(other.standard_error, abs=1e-7)


@given(logs)
def test_on_policy_every_weight_is_one(rows):
    log, _ = unpack(rows)
    same = replace(log, target_propensity=log.logging_propensity)
    for row in ope.evaluate(same):
        assert row.value == pytest.approx(log.reward.mean(), abs=1e-9)
        assert row.effective_sample_size == pytest.approx(len(log))
        assert row.largest_weight == pytest.approx(1.0)


@given(logs, st.floats(0.1, 20))
def test_cut_weights_are_no_larger(rows, limit):
    log, model = unpack(rows)
    assert ope.clipped_ips(log, max_weight=limit).largest_weight <= limit
    assert ope.switch_dr(log, model, max_weight=limit).largest_weight <= limit
    assert ope.dr_shrinkage(log, model, shrinkage=limit).largest_weight <= np.sqrt(limit) / 2 + 1e-12


def test_cut_weights_are_counted():
    row = ope.clipped_ips(THREE, max_weight=1.0)
    assert "1 of 3 weights were cut, which may bias the estimate" in row.warnings


def test_the_default_limit_grows_with_the_log():
    assert default_max_weight(10_000) == 100
