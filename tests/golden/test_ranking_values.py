"""Our next-item accuracy against RecBole's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from recsim_env.metrics import hit_rate, ndcg

GOLDEN = json.loads(Path(__file__).with_name("ranking_values.json").read_text())


@pytest.mark.parametrize("k", [5, 10, 20])
def test_hit_rate_and_ndcg_agree(k):
    ranks, theirs = np.array(GOLDEN["ranks"]), GOLDEN["values"][str(k)]
    assert 0 < theirs["ndcg"] < theirs["hit_rate"] < 1
    assert hit_rate(ranks, k) == pytest.approx(theirs["hit_rate"], rel=1e-12)
    assert ndcg(ranks, k) == pytest.approx(theirs["ndcg"], rel=1e-12)
