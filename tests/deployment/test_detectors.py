"""Detectors: the likelihood ratio against every split, false alarms, and where a change is found."""

from __future__ import annotations

import math

import numpy as np
import pytest

from recsim_env.deployment import LikelihoodRatio, PageHinkleyOfArms


def started(detector, num_runs, num_arms):
    detector.start(num_runs)
    for _ in range(num_arms):
        detector.grow()
    return detector


def conversions(luck, size, rate):
    total = luck.binomial(size, rate)
    return np.stack([size, total, total]).astype(float)


def every_split(batches, level):
    """Whether one arm's (count, total) pairs have changed, and after which batch, by trying all splits."""
    count, total = (sum(batch[i] for batch in batches) for i in (0, 1))
    mean = total / count
    variance = mean * (1 - mean)
    ratios = []
    for split in range(1, len(batches)):
        n1, t1 = (sum(batch[i] for batch in batches[:split]) for i in (0, 1))
        n2, t2 = count - n1, total - t1
        ratios.append(n1 * n2 / (n1 + n2) * (t1 / n1 - t2 / n2) ** 2 / (2 * variance))
    bound = math.log(3 * len(batches) ** 1.5 / level)
    return max(ratios, default=0.0) > bound, int(np.argmax(ratios)) if ratios else 0


def test_the_likelihood_ratio_is_the_largest_over_all_splits():
    luck = np.random.default_rng(1000)
    detector = started(LikelihoodRatio(0.01), 1, 1)
    batches, fired = [], False
    while not fired:
        batch = conversions(luck, np.array([[50]]), 0.2 if len(batches) < 20 else 0.35)
        batches.append((batch[0, 0, 0], batch[1, 0, 0]))
        changed, since = detector.update(batch)
        fired, split = every_split(batches, 0.01)
        assert changed[0] == fired
    assert 20 < len(batches) < 40
    assert since[0, 0, 0] == 50 * (len(batches) - split - 1)


@pytest.mark.parametrize(("detector", "most"), [(LikelihoodRatio(), 5), (PageHinkleyOfArms(), 60)])
def test_steady_arms_seldom_alarm(detector, most):
    luck = np.random.default_rng(1001)
    started(detector, 200, 2)
    alarms = np.zeros(200, bool)
    for _ in range(100):
        alarms |= detector.update(conversions(luck, np.full((200, 2), 100), 0.2))[0]
    assert alarms.sum() <= most


@pytest.mark.parametrize("detector", [LikelihoodRatio(), PageHinkleyOfArms()])
def test_a_change_is_found_soon_in_the_runs_that_have_one(detector):
    luck = np.random.default_rng(1002)
    started(detector, 40, 2)
    late = np.zeros((40, 1), bool)
    late[:20] = True
    found = np.zeros(40, int)
    for batch in range(60):
        rate = np.where(late & (batch >= 40), [0.2, 0.05], [0.2, 0.3])
        changed, _ = detector.update(conversions(luck, np.full((40, 2), 100), rate))
        if batch >= 40:
            found += changed
    assert (found[:20] > 0).all()
    assert (found[20:] > 0).mean() <= 0.1


def test_an_arm_that_comes_later_joins_in():
    luck = np.random.default_rng(1003)
    for detector in (LikelihoodRatio(), PageHinkleyOfArms()):
        started(detector, 1, 1)
        detector.update(conversions(luck, np.array([[100]]), 0.2))
        detector.grow()
        changed, since = detector.update(conversions(luck, np.array([[100, 100]]), 0.2))
        assert not changed[0]
        assert since.shape == (3, 1, 2)
