"""What is on offer, and draws restricted to it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from agents.choices import Dates, best_action, choices_in, saved_dates
from agents.sampling import offered_log_propensity, sample_slate, slate_log_propensity
from recsim_env.catalog import PublicCatalog

ERROR_RATE = 1e-6
NUM_DRAWS = 20_000
DATES = Dates(np.array([0, 5, 5, 5, 0]), np.array([10, 10, 20, 20, 4]))
"""On offer at hour 0: items 0 and 4; at 5: 0 to 3; at 10: 2 and 3; at 20: none."""


def at(*hours):
    return {"hour": np.array(hours)[:, None]}


def offer(*items):
    return {"candidates": np.array(items)}


def pairs_of(slates, num_choices):
    """Every ordered pair of distinct numbers, and how often each was drawn."""
    pairs = np.array(list(itertools.permutations(range(num_choices), 2)))
    counts = np.bincount(slates[:, 0] * num_choices + slates[:, 1], minlength=num_choices**2)
    return pairs, counts[pairs[:, 0] * num_choices + pairs[:, 1]]


def test_plain_worlds_have_no_choices():
    assert choices_in({"session_step": np.zeros((2, 1), np.int64)}, 5, None, 1) is None
    assert choices_in(at(3, 4), 5, None, 1) is None


def test_a_dated_catalog_offers_the_items_of_the_hour():
    choices = choices_in(at(5, 0, 5, 20), 5, DATES, 1)
    assert not choices.numbered
    assert choices.candidates is None
    assert choices.count.tolist() == [4, 2, 4, 0]
    on_offer = [choices.items[row][choices.available[row]].tolist() for row in choices.row]
    assert on_offer == [[0, 1, 2, 3], [0, 4], [0, 1, 2, 3], []]
    assert choices.action(np.array([[3], [1], [0], [0]])).tolist() == [3, 4, 0, 0]


def test_it_says_what_the_catalog_says():
    hours = np.arange(-1, 25)
    catalog = PublicCatalog(np.zeros(5, np.int64), np.ones(5, np.float32), np.full(5, 0.2), 1, *DATES)
    choices = choices_in({"hour": hours}, 5, Dates.of(catalog), 5)
    on_offer = np.zeros((len(hours), 5), np.bool_)
    np.put_along_axis(on_offer, choices.items[choices.row], choices.available[choices.row], axis=1)
    np.testing.assert_array_equal(on_offer, catalog.on_offer(hours))
    assert Dates.of(catalog._replace(born=None, gone=None)) is None
    assert Dates.of(None) is None


def test_candidates_are_chosen_by_number():
    choices = choices_in(offer([7, 9, 1], [9, 9, 3]), 9, DATES, 2)
    assert choices.numbered
    assert choices.available.tolist() == [[True, False, True], [False, False, True]]
    assert choices.candidates.tolist() == [[7, 0, 1], [0, 0, 3]]
    assert choices.action(np.array([[2], [1]])).tolist() == [2, 1]
    assert choices.action(np.array([[2, 0], [1, 2]])).tolist() == [[2, 0], [1, 2]]


def test_what_cannot_be_read_is_refused():
    with pytest.raises(
        ValueError, match=r"observation\['candidates'\]\[1, 0\]: expected in \[0, 9\], got 10"
    ):
        choices_in(offer([7, 9], [10, 9]), 9, None, 1)
    with pytest.raises(KeyError, match="'hour' is missing"):
        choices_in({"segment": np.zeros(1)}, 5, DATES, 1)


def test_dates_survive_being_saved():
    again = Dates.from_arrays(saved_dates(DATES))
    assert [array.tolist() for array in again] == [array.tolist() for array in DATES]
    assert Dates.from_arrays(saved_dates(None)) is None


@pytest.mark.parametrize(
    ("observation", "expected"),
    [(offer([5, 2, 9, 4, 9, 0]), [0, 1, 3, 5]), (at(5), [0, 1, 2, 3])],
    ids=["candidates", "dates"],
)
def test_draws_are_uniform_over_ordered_slates_on_offer(observation, expected, generator):
    batch = {key: np.repeat(array, NUM_DRAWS, axis=0) for key, array in observation.items()}
    choices = choices_in(batch, 9 if "candidates" in batch else 5, DATES, 2)
    slates, propensity = choices.draw(2, generator)
    slates = choices.action(slates)
    assert propensity == pytest.approx(np.full(NUM_DRAWS, 1 / 12))
    pairs, counts = pairs_of(slates, 6)
    possible = np.isin(pairs, expected).all(axis=1)
    assert possible.sum() == 12
    assert counts[~possible].sum() == 0
    assert stats.chisquare(counts[possible]).pvalue > ERROR_RATE


def test_draws_use_up_what_is_on_offer_before_anything_else(generator):
    choices = choices_in(offer([9, 3, 9, 4, 9], [9, 9, 9, 9, 9], [1, 2, 3, 4, 5]), 9, None, 4)
    slates, propensity = choices.draw(4, generator)
    assert sorted(slates[0, :2]) == [1, 3]
    assert slates[0, 2:].tolist() == [0, 2]
    assert slates[1].tolist() == [0, 1, 2, 3]
    assert len(set(slates[2].tolist())) == 4
    assert propensity == pytest.approx([1 / 2, 1, 1 / 120])


def test_the_best_are_on_offer():
    score = np.array([[5.0, 4.0, 3.0, 2.0, 1.0]])
    assert best_action(score, None, 1).tolist() == [0]
    assert best_action(score, choices_in(at(10), 5, DATES, 2), 2).tolist() == [[2, 3]]
    assert best_action(score, choices_in(at(0), 5, DATES, 3), 3).tolist() == [[0, 4, 1]]
    by_number = choices_in(offer([9, 8, 9, 1, 0]), 9, None, 2)
    assert best_action(score.astype(np.float32), by_number, 2).tolist() == [[1, 3]]


def test_users_of_one_hour_share_their_choices():
    choices = choices_in({"hour": np.array([[5]] * 1_000 + [[0]] * 1_000)}, 5, DATES, 1)
    assert len(choices.items) == 2
    score = choices.score(np.arange(10_000.0).reshape(2_000, 5))
    assert score.shape == (2_000, 4)
    assert score[1_999].tolist() == [9_995, 9_999, -np.inf, -np.inf]


def test_a_choice_does_not_depend_on_the_batch():
    alone = best_action(np.arange(5.0)[None], choices_in(at(20), 5, DATES, 2), 2)
    both = best_action(np.tile(np.arange(5.0), (2, 1)), choices_in(at(5, 20), 5, DATES, 2), 2)
    assert alone.tolist() == [[0, 1]]
    assert both.tolist() == [[3, 2], [0, 1]]


WEIGHT = np.log(np.array([[0.4, 0.1, 0.3, 0.2]]))


def test_the_propensity_of_what_is_on_offer_is_the_plain_one_when_everything_is():
    pairs = np.array(list(itertools.permutations(range(4), 3)))
    weights = np.repeat(WEIGHT, len(pairs), axis=0)
    np.testing.assert_allclose(
        offered_log_propensity(pairs, weights + 3.0), slate_log_propensity(pairs, weights), rtol=1e-12
    )


def test_restricted_draws_follow_their_propensity(generator):
    weight = WEIGHT.copy()
    weight[0, 2] = -np.inf
    slates = sample_slate(np.repeat(weight, NUM_DRAWS, axis=0), 2, generator)
    pairs, counts = pairs_of(slates, 4)
    possible = (pairs != 2).all(axis=1)
    assert counts[~possible].sum() == 0
    pairs, counts = pairs[possible], counts[possible]
    stated = np.exp(offered_log_propensity(pairs, np.repeat(weight, len(pairs), axis=0)))
    assert stated.sum() == pytest.approx(1.0)
    assert stats.chisquare(counts, stated * NUM_DRAWS).pvalue > ERROR_RATE


def test_small_remainders_do_not_cancel():
    weight = np.array([[0.0, -60.0, -61.0]])
    stated = offered_log_propensity(np.array([[0, 1, 2]]), weight)
    assert stated == pytest.approx(-np.log1p(np.exp(-1.0)))


def test_slots_without_an_offer_leave_the_propensity_alone():
    weight = np.full((2, 4), -np.inf)
    weight[0, 2] = -3.0
    slates = sample_slate(weight, 3, np.random.default_rng(0))
    assert slates.tolist() == [[2, 0, 1], [0, 1, 2]]
    assert offered_log_propensity(slates, weight).tolist() == [0.0, 0.0]
