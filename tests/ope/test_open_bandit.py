"""Open Bandit Dataset: the uniform policy's value from the log of another one agrees with its own log.

The data are not part of the repository. RECSIM_ENV_DATA may name a folder that has `obd`, with `random/` and
`bts/` in it; without it, ../shared/data beside the checkout is tried.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from recsim_env import ope

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("RECSIM_ENV_DATA", ROOT.parent / "shared" / "data")) / "obd"
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"no {DATA}; RECSIM_ENV_DATA may name a folder that has obd"
)
NUM_ITEMS = {"all": 80, "men": 34}


class Rows(NamedTuple):
    click: np.ndarray
    propensity: np.ndarray
    item: np.ndarray


def read(policy: str, campaign: str) -> Rows:
    with open(DATA / policy / campaign / f"{campaign}.csv", encoding="utf-8", newline="") as file:
        rows = [(row["click"], row["propensity_score"], row["item_id"]) for row in csv.DictReader(file)]
    click, propensity, item = zip(*rows, strict=True)
    return Rows(np.array(click, float), np.array(propensity, float), np.array(item, int))


def uniform_from_bts(campaign: str) -> ope.LoggedDecisions:
    log = read("bts", campaign)
    return ope.LoggedDecisions(log.click, log.propensity, np.full(len(log.click), 1 / NUM_ITEMS[campaign]))


@pytest.mark.parametrize("campaign", NUM_ITEMS)
def test_uniform_propensities_are_one_over_the_number_of_items(campaign):
    log = read("random", campaign)
    assert set(log.item) == set(range(NUM_ITEMS[campaign]))
    np.testing.assert_allclose(log.propensity, 1 / NUM_ITEMS[campaign], rtol=1e-9)


@pytest.mark.parametrize("campaign", NUM_ITEMS)
def test_the_uniform_value_from_bts_agrees_with_the_random_log(campaign):
    """Within two standard errors of both logs; no estimator by weights is left out."""
    own = read("random", campaign).click
    error = own.std(ddof=1) / np.sqrt(len(own))
    for row in ope.evaluate(uniform_from_bts(campaign)):
        both = np.hypot(error, row.standard_error)
        assert abs(row.value - own.mean()) < 2 * both, (row.estimator, row.value, own.mean(), both)


@pytest.mark.parametrize("campaign", NUM_ITEMS)
def test_few_weights_dominate_and_the_report_says_so(campaign):
    """Of 10,000 rows, the worth of some hundreds is left: 340 for `all`, 656 for `men`."""
    rows = ope.evaluate(uniform_from_bts(campaign), estimators=["ips", "snips"])
    for row in rows:
        assert row.effective_sample_size < 0.1 * row.num_rows
        (warning,) = row.warnings
        assert warning.startswith("a few weights dominate")
        assert f"of {row.num_rows}" in warning
    assert "a few weights dominate" in ope.format_table(rows)
