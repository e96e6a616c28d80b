"""Wrong data are refused by name, with what was expected, what came, and the first offending index."""

from __future__ import annotations

import re

import numpy as np
import pytest

from recsim_env import ope

HALF = [0.5, 0.5, 0.5]
R = [1.0, 2.0, 3.0]
LOG = ope.LoggedDecisions(R, HALF, HALF)
MODEL = ope.PredictedRewards(R, R)
SESSIONS = ope.LoggedSessions([1, 1, 2], R, HALF, HALF)
SLATES = ope.LoggedSlates([[1.0], [2.0]], prefix=ope.SlatePropensity([[0.5], [0.5]], [[0.5], [0.5]]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ope.LoggedDecisions([], [], []), "reward: expected at least one row, got none"),
        (lambda: ope.LoggedDecisions([[1.0]], [0.5], [0.5]), "reward: expected shape [any], got [1, 1]"),
        (lambda: ope.LoggedDecisions(["a"], [0.5], [0.5]), "reward: expected numbers, got dtype <U1"),
        (
            lambda: ope.LoggedDecisions([1, np.nan, np.inf], HALF, HALF),
            "reward[1]: expected a finite number, got nan",
        ),
        (
            lambda: ope.LoggedDecisions([np.inf, -np.inf, 0], HALF, HALF),
            "reward[0]: expected a finite number, got inf",
        ),
        (
            lambda: ope.LoggedDecisions(R, [0.5, 0.0, 0.0], HALF),
            "logging_propensity[1]: expected a probability in (0, 1], got 0.0",
        ),
        (
            lambda: ope.LoggedDecisions(R, HALF, [0.5, 0.5, 1.5]),
            "target_propensity[2]: expected a probability in [0, 1], got 1.5",
        ),
        (
            lambda: ope.LoggedDecisions(R, HALF, [0.5]),
            "target_propensity: expected shape [3], got [1]",
        ),
        (lambda: ope.LoggedDecisions(R, HALF, HALF, [1, 2]), "unit: expected shape [3], got [2]"),
        (
            lambda: ope.LoggedDecisions(R, HALF, HALF, None, [0, 0, -1]),
            "unsupported[2]: expected a probability in [0, 1], got -1.0",
        ),
        (
            lambda: ope.ips(ope.LoggedDecisions([1.0], [1e-320], [1.0])),
            "logging_propensity[0]: expected one that leaves target / logging finite",
        ),
        (
            lambda: ope.LoggedDecisions.from_probs([1.0], [0], [[0.5, 0.4]], [[0.5, 0.5]]),
            "logging_probs[0]: expected probabilities that sum to 1, got 0.9",
        ),
        (
            lambda: ope.LoggedDecisions.from_probs([1.0], [2], [[0.5, 0.5]], [[0.5, 0.5]]),
            "action[0]: expected an index in [0, 2), got 2",
        ),
        (
            lambda: ope.LoggedDecisions.from_probs([1.0], [0.0], [[0.5, 0.5]], [[0.5, 0.5]]),
            "action: expected integers, got dtype float64",
        ),
        (
            lambda: ope.LoggedDecisions.from_probs([1.0], [0], [[0.0, 1.0]], [[0.5, 0.5]]),
            "logging_probs[0]: expected a positive probability of the logged action, got 0.0",
        ),
        (lambda: ope.PredictedRewards(R, [1.0]), "target: expected shape [3], got [1]"),
        (
            lambda: ope.dr(LOG, ope.PredictedRewards([1.0], [1.0])),
            "predicted: expected 3 rows like decisions, got 1",
        ),
        (
            lambda: ope.clipped_ips(LOG, max_weight=0),
            "max_weight: expected a number in (0, inf], got 0",
        ),
        (
            lambda: ope.dr_shrinkage(LOG, MODEL, shrinkage=np.nan),
            "shrinkage: expected a number in [0, inf], got nan",
        ),
        (
            lambda: ope.mrdr(LOG, np.ones((3, 1)), np.ones((3, 1)), folds=4),
            "folds: expected 1..3 (one unit a fold at least), got 4",
        ),
        (
            lambda: ope.mips(LOG, [0.5, 0.0, 0.5], HALF),
            "logging_embedding_propensity[1]: expected a probability in (0, 1], got 0.0",
        ),
        (
            lambda: ope.embedding_propensity([[1.0]], [1], [[1.0]]),
            "embedding[0, 0]: expected an index in [0, 1), got 1",
        ),
        (
            lambda: ope.LoggedSessions([1, 2, 1], R, HALF, HALF),
            "session[2]: expected the rows of a session to follow one another, got id 1 once more",
        ),
        (
            lambda: ope.LoggedSessions([1, 1, 1], R, HALF, HALF, discount=1.5),
            "discount: expected a number in [0, 1], got 1.5",
        ),
        (
            lambda: ope.LoggedSessions([1, 1, 2], R, HALF, HALF, unit=[7, 8, 8]),
            "unit[1]: expected one unit a session, got 8",
        ),
        (lambda: ope.LoggedSessions([1], R, HALF, HALF), "session: expected shape [3], got [1]"),
        (
            lambda: ope.trajectory_is(
                ope.LoggedSessions(np.zeros(400), np.ones(400), np.full(400, 0.1), np.ones(400))
            ),
            "cumulative_weight[308]: expected a finite product of weights",
        ),
        (
            lambda: ope.sequential_dr(SESSIONS, ope.PredictedValues([1.0], [1.0])),
            "predicted: expected 3 rows like sessions, got 1",
        ),
        (
            lambda: ope.marginal_is(SESSIONS, [1.0, -1.0, 1.0]),
            "state_action_ratio[1]: expected a ratio >= 0, got -1.0",
        ),
        (
            lambda: ope.state_ratio(SESSIONS, [0, 5, 0], 2),
            "state[1]: expected an index in [0, 2), got 5",
        ),
        (
            lambda: ope.LoggedSlates(np.ones((2, 0))),
            "reward: expected at least one slate of one position, got shape [2, 0]",
        ),
        (
            lambda: ope.LoggedSlates([[1.0]], item=ope.SlatePropensity([0.5], [0.5])),
            "item.logging: expected shape [1, 1], got [1]",
        ),
        (
            lambda: ope.cascade_dr(SLATES, [[1.0]], [[1.0]]),
            "q_logged: expected shape [2, 1], got [1, 1]",
        ),
        (
            lambda: ope.evaluate(LOG, estimators=["ips", "dr"]),
            "estimators: expected some of ['ips', 'clipped_ips', 'snips'] for these data, got 'dr'",
        ),
        (
            lambda: ope.evaluate(LOG, ope.PredictedValues(R, R)),
            "predicted: expected PredictedRewards for LoggedDecisions, got PredictedValues",
        ),
        (
            lambda: ope.evaluate(SLATES, MODEL),
            "predicted: expected None for slates; call cascade_dr for predictions of slates",
        ),
        (
            lambda: ope.BootstrapInterval(np.random.default_rng(0), 10),
            "num_resamples: expected a number in [40, inf], got 10",
        ),
    ],
)
def test_the_error_says_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_other_number_types_are_welcome():
    log = ope.LoggedDecisions(
        np.array([1, 0, 1]), np.full(3, 0.5, np.float32), np.full(3, 0.25, np.float32), ["b", "a", "b"]
    )
    assert log.units.num_units == 2
    assert ope.ips(log).value == pytest.approx(1 / 3)
