"""The e-process behind rollback: by the definition, exactly on small examples, and by its error rate."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from recsim_env.deployment.evidence import CAP, EFFECTS, Contrast


def moments(groups):
    """[3, 1, 2] of one batch: responses of the control, responses of the arm."""
    return np.array([[[sum(y**power for y in group) for group in groups]] for power in (0, 1, 2)], float)


def contrast(num_runs=1, low=0.0, high=1.0, **margins):
    found = Contrast(num_runs, low, high, **margins)
    found.grow()
    found.grow()
    return found


def psi(x):
    return -math.log(1 - x) - x


def log_e_by_definition(batches, sign):
    """Response by response, effect by effect, start by start, as the docstring says."""
    total = 0.0
    for effect in EFFECTS:
        for start in range(len(batches) + 1):  # the last one has not begun, and stands for all later ones
            log_e, seen = 0.0, []
            for number, (control, arm) in enumerate(batches):
                centre = sum(seen) / len(seen) if seen else 0.5
                variance = sum(y * y for y in seen) / len(seen) - centre**2 if len(seen) > 1 else 0.25
                sd = math.sqrt(max(variance, 1e-6))
                spread = sd**2 * (1 / len(arm) + 1 / len(control))
                stake = min(effect * sd / spread, CAP * len(arm), CAP * len(control))
                if number >= start:
                    for group, side in ((arm, sign), (control, -sign)):
                        part = stake / len(group)
                        for y in group:
                            log_e += side * part * y - psi(part) * (y - centre) ** 2
                seen += control
            later = 1 / (start + 1) if start == len(batches) else 1 / ((start + 1) * (start + 2))
            total += later * math.exp(log_e) / len(EFFECTS)
    return math.log(total)


def test_sums_give_what_the_definition_says():
    luck = np.random.default_rng(1000)
    batches = [(luck.random(5).tolist(), luck.random(3).tolist()) for _ in range(4)]
    found = contrast()
    for batch in batches:
        found.update(moments(batch))
    assert found.log_e_harm[0, 1] == pytest.approx(log_e_by_definition(batches, -1.0))
    assert found.log_e_benefit[0, 1] == pytest.approx(log_e_by_definition(batches, 1.0))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_its_mean_over_all_outcomes_of_two_batches_is_at_most_one(rate):
    # Each of two batches has 2 responses of the arm and 3 of the control, conversions of the same rate.
    outcomes = list(itertools.product((0.0, 1.0), repeat=5))
    weight = np.array([rate ** sum(one) * (1 - rate) ** (5 - sum(one)) for one in outcomes])
    of_outcome = np.concatenate([moments((one[2:], one[:2])) for one in outcomes], axis=1)
    size = len(outcomes)
    found = contrast(size * size)
    found.update(np.repeat(of_outcome, size, axis=1))
    first = np.exp(np.stack([found.log_e_harm[::size, 1], found.log_e_benefit[::size, 1]]))
    assert (first @ weight <= 1 + 1e-12).all()
    found.update(np.tile(of_outcome, (1, size, 1)))
    second = np.exp(np.stack([found.log_e_harm[:, 1], found.log_e_benefit[:, 1]])).reshape(2, size, size)
    assert ((second @ weight) <= first + 1e-12).all()
    assert (second @ weight > 0.5 * first).all()


def simulate(num_runs, batches, arm, control, seed, shock=0.0, **options):
    luck = np.random.default_rng(seed)
    found = contrast(num_runs, **options)
    size = np.array([[90, 10]] * num_runs)
    worst = np.full(num_runs, -np.inf)
    for _ in range(batches):
        level = 1 + shock * luck.uniform(-1, 1, (num_runs, 1))
        total = luck.binomial(size, level * np.array([control, arm]))
        found.update(np.stack([size, total, total]).astype(float))
        worst = np.maximum(worst, found.log_e_harm[:, 1])
    return found, worst


def test_false_alarms_stay_below_alpha_whatever_happens_to_the_level():
    # At a true rate of 5% more than 40 of 500 have probability 0.1%.
    _, worst = simulate(500, 150, 0.3, 0.3, seed=1000, shock=0.9)
    assert (worst >= math.log(1 / 0.05)).sum() <= 40


def test_harm_is_found_and_tolerated_harm_is_not():
    _, worst = simulate(100, 150, 0.15, 0.3, seed=1001)
    assert (worst >= math.log(100)).mean() > 0.95
    _, tolerant = simulate(100, 150, 0.15, 0.3, seed=1001, tolerated=0.15)
    assert (tolerant >= math.log(100)).mean() <= 0.05


def test_harm_that_begins_late_is_found():
    luck = np.random.default_rng(1002)
    found = contrast(50)
    size = np.array([[500, 500]] * 50)
    for batch in range(200):
        total = luck.binomial(size, [0.3, 0.33 if batch < 100 else 0.2])
        found.update(np.stack([size, total, total]).astype(float))
    assert (found.log_e_harm[:, 1] >= math.log(100)).all()


def test_the_confidence_sequence_holds_the_contrast_in_units_of_the_response():
    luck = np.random.default_rng(1003)
    found = contrast(60, low=-5.0, high=15.0)
    missed = np.zeros(60, bool)
    for batch in range(60):
        y = np.clip(luck.normal([[4.0], [5.0]], 2.0, (60, 2, 40)), -5, 15)
        sums = np.stack([np.full((60, 2), 40.0), y.sum(2), (y**2).sum(2)])
        found.update(sums)
        if batch % 12 == 11:
            for run in range(60):
                value, lower, upper = found.estimate(run, 1, 0.1)
                missed[run] |= not lower <= 1.0 <= upper
                assert lower < value < upper
    assert missed.mean() <= 0.1
    assert upper - lower < 1.0


def test_batches_without_one_of_the_two_change_nothing():
    found = contrast()
    found.update(moments(([0.2, 0.4], [0.1])))
    before = found.log_e_harm[0, 1]
    found.update(moments(([0.2, 0.4], [])))
    found.update(moments(([], [0.3])))
    assert found.log_e_harm[0, 1] == before
