"""Our ridge regressions agree with MABWiser's LinUCB and LinTS; see make_linear_bandit_values.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agents.bandits.ridge import Ridge

GOLDEN = json.loads(Path(__file__).with_name("linear_bandit_values.json").read_text())
ARM, FEATURES, REWARD, SEEN = (np.array(GOLDEN[name]) for name in ("arm", "features", "reward", "seen"))


@pytest.fixture(params=[40, 1], ids=["one batch", "row by row"])
def regressions(request):
    fitted = Ridge(3, FEATURES.shape[1], GOLDEN["ridge"])
    for rows in np.split(np.arange(40), range(request.param, 40, request.param)):
        fitted.update(ARM[rows], FEATURES[rows], REWARD[rows])
    return fitted


def widths(regressions):
    return np.sqrt(np.einsum("ni,aij,nj->na", SEEN, regressions.covariance, SEEN))


def test_means(regressions):
    np.testing.assert_allclose(regressions.theta, GOLDEN["theta"], rtol=1e-9)


def test_upper_confidence_bounds(regressions):
    bound = SEEN @ regressions.theta.T + GOLDEN["alpha"] * widths(regressions)
    np.testing.assert_allclose(bound, GOLDEN["ucb"], rtol=1e-9)


def test_posterior_of_thompson_sampling(regressions):
    """Mean and spread of their draws; each comparison fails once in 10,000."""
    width, draws = GOLDEN["alpha"] * widths(regressions)[0], GOLDEN["thompson_draws"]
    mean = SEEN[0] @ regressions.theta.T
    assert (np.abs(np.array(GOLDEN["thompson_mean"]) - mean) < 3.9 * width / np.sqrt(draws)).all()
    assert (np.abs(np.array(GOLDEN["thompson_std"]) / width - 1) < 3.9 / np.sqrt(2 * draws)).all()
