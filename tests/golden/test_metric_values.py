"""Our exposure metrics against RecBole's: the same where definitions agree, and how they differ where not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from recsim_env.metrics import (
    action_entropy,
    average_popularity,
    catalog_coverage,
    gini,
    tail_items,
    tail_share,
)

GOLDEN = json.loads(Path(__file__).with_name("metric_values.json").read_text())
VALUES = GOLDEN["values"]
POPULARITY = np.array(GOLDEN["inputs"]["counts"], float)
SHOWN = np.bincount(np.ravel(GOLDEN["inputs"]["slates"]), minlength=len(POPULARITY))


def test_coverage_gini_and_popularity_agree():
    assert catalog_coverage(SHOWN) == pytest.approx(VALUES["coverage"], rel=1e-12)
    assert gini(SHOWN) == pytest.approx(VALUES["gini"], rel=1e-12)
    theirs = VALUES["average_popularity"] / POPULARITY.mean()
    assert average_popularity(SHOWN, POPULARITY) == pytest.approx(theirs, rel=1e-12)


def test_the_padding_item_that_recbole_counts_raises_gini():
    assert gini(np.append(SHOWN, 0)) == pytest.approx(VALUES["gini_with_padding"], rel=1e-12)
    assert VALUES["gini_with_padding"] > VALUES["gini"]


def test_entropy_is_theirs_times_the_number_of_items_shown():
    assert action_entropy(SHOWN) == pytest.approx(VALUES["entropy"] * np.count_nonzero(SHOWN), rel=1e-12)


def test_tail_share_agrees_on_the_same_tail():
    order = np.lexsort((np.arange(len(POPULARITY)), POPULARITY))
    theirs = np.zeros(len(POPULARITY), bool)
    theirs[order[: int(len(order) * GOLDEN["inputs"]["tail_ratio"])]] = True
    assert tail_share(SHOWN, theirs) == pytest.approx(VALUES["tail_percentage"], rel=1e-12)
    assert (tail_items(POPULARITY) != theirs).any()  # ours: outside the head that draws 80 %
