"""Draws against their stated probabilities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from agents.controls import distinct_draws
from agents.sampling import as_action, as_slate, sample_categorical, sample_slate, slate_log_propensity, top_k

PROB = np.array([0.5, 0.0, 0.3, 0.15, 0.05])
NUM_DRAWS = 20_000
ERROR_RATE = 1e-6


def slate_frequencies(slates, num_items):
    """Counts of every ordered pair of distinct items, in the order of `itertools.permutations`."""
    code = slates[:, 0] * num_items + slates[:, 1]
    counts = np.bincount(code, minlength=num_items**2)
    pairs = np.array(list(itertools.permutations(range(num_items), 2)))
    return pairs, counts[pairs[:, 0] * num_items + pairs[:, 1]]


def assert_follows(counts, prob):
    assert prob.sum() == pytest.approx(1.0)
    possible = prob > 0
    assert (counts[~possible] == 0).all()
    expected = prob[possible] / prob[possible].sum() * counts.sum()
    assert stats.chisquare(counts[possible], expected).pvalue > ERROR_RATE


def test_categorical_frequencies(generator):
    draws = sample_categorical(np.broadcast_to(PROB, (NUM_DRAWS, 5)), generator)
    assert draws.dtype == np.int64
    assert_follows(np.bincount(draws, minlength=5), PROB)


def test_categorical_never_draws_what_cannot_be(generator):
    prob = np.zeros((1_000, 4))
    prob[:, 2] = 0.1
    assert (sample_categorical(prob, generator) == 2).all()


class TopOfRange:
    """A generator whose uniforms are as large as they can be."""

    def random(self, shape):
        return np.full(shape, np.nextafter(1.0, 0.0))


def test_categorical_at_the_end_of_the_range():
    prob = np.array([[0.1, 0.2, 0.7, 0.0], [0.3, 0.0, 0.0, 0.0]])
    assert sample_categorical(prob, TopOfRange()).tolist() == [2, 0]


def test_slate_frequencies_match_the_stated_propensity(generator):
    prob = np.array([0.4, 0.3, 0.2, 0.1])
    log_prob = np.log(prob)
    slates = sample_slate(np.broadcast_to(log_prob, (NUM_DRAWS, 4)), 2, generator)
    pairs, counts = slate_frequencies(slates, 4)
    stated = np.exp(slate_log_propensity(pairs, np.broadcast_to(log_prob, (len(pairs), 4))))
    assert_follows(counts, stated)


def test_distinct_draws_follow_the_same_law(generator):
    prob = np.array([0.4, 0.3, 0.2, 0.1])
    slates = distinct_draws(lambda shape: generator.choice(4, p=prob, size=shape), NUM_DRAWS, 2)
    pairs, counts = slate_frequencies(slates, 4)
    stated = np.exp(slate_log_propensity(pairs, np.broadcast_to(np.log(prob), (len(pairs), 4))))
    assert_follows(counts, stated)


def test_distinct_draws_can_use_up_every_item(generator):
    slates = distinct_draws(lambda shape: generator.integers(5, size=shape), 50, 5)
    assert (np.sort(slates, axis=1) == np.arange(5)).all()


@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(1, 9))
def test_top_k_is_the_head_of_a_stable_sort(seed, num_slots, num_items):
    num_slots = min(num_slots, num_items)
    score = np.random.default_rng(seed).integers(0, 4, size=(5, num_items)).astype(float)
    expected = np.argsort(-score, axis=1, kind="stable")[:, :num_slots]
    np.testing.assert_array_equal(top_k(score, num_slots), expected)


def test_actions_of_single_items_are_flat():
    slate = np.array([[3], [1]])
    assert as_action(slate).tolist() == [3, 1]
    assert as_slate(as_action(slate)).tolist() == slate.tolist()
    pair = np.array([[3, 1]])
    assert as_action(pair) is pair
    assert as_slate(pair) is pair
