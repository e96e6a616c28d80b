"""Slates under the logit model: by hand, and the searches against every slate of a small catalog."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.value.slate_choice import best_slates, choice_log_prob, slate_value
from recsim_env.truth import item_truth, myopic_slates, slate_truth
from tests.small_worlds import fresh_states, small_world

EXAMINATION = torch.tensor([1.0, 0.5], dtype=torch.float64)


def test_choice_by_hand():
    """Weights 2 and 4, the second position seen half the time: 2, 2 and 1 of 5."""
    prob = choice_log_prob(torch.log(torch.tensor([[2.0, 4.0]])), torch.log(torch.tensor([1.0, 0.5]))).exp()
    torch.testing.assert_close(prob, torch.tensor([[0.4, 0.4, 0.2]]))


def test_value_by_hand():
    weight, q = torch.tensor([[2.0, 4.0]]), torch.tensor([[10.0, 1.0]])
    value = slate_value(weight, q, torch.tensor([5.0]), torch.tensor([1.0, 0.5]))
    torch.testing.assert_close(value, torch.tensor([0.4 * 10 + 0.4 * 1 + 0.2 * 5]))


def every_slate(num_choices, num_slots):
    return torch.tensor(list(itertools.permutations(range(num_choices), num_slots)))


@given(st.integers(0, 2**32), st.integers(1, 3), st.booleans())
def test_the_exact_search_finds_the_best_slate(seed, num_slots, positions):
    draws = np.random.default_rng(seed)
    weight = torch.from_numpy(draws.lognormal(0.0, 1.5, size=(4, 6)))
    q, q_none = torch.from_numpy(draws.normal(size=(4, 6))), torch.from_numpy(draws.normal(size=4))
    place = torch.arange(1, num_slots + 1, dtype=torch.float64)
    examination = place**-0.66 if positions else torch.ones_like(place)
    slates = every_slate(6, num_slots)
    enumerated = torch.stack(
        [slate_value(weight[:, s], q[:, s], q_none, examination) for s in slates], dim=1
    ).max(1)
    _, worth = best_slates(weight, q, q_none, examination)
    torch.testing.assert_close(worth, enumerated.values)
    for search in ("greedy", "top-k"):
        _, other = best_slates(weight, q, q_none, examination, search)
        assert (other <= worth + 1e-9).all()


def test_a_click_that_is_worth_less_than_none_goes_where_it_is_seen_least():
    """All clicks cost: the least attractive costly items, the costliest at the bottom."""
    weight = torch.tensor([[1.0, 3.0, 0.1]], dtype=torch.float64)
    q = torch.tensor([[-1.0, -1.0, -1.0]], dtype=torch.float64)
    slate, worth = best_slates(weight, q, torch.zeros(1, dtype=torch.float64), EXAMINATION)
    assert slate.tolist() == [[2, 0]]
    assert worth.item() == pytest.approx(-(0.1 + 0.5) / 1.6)


@pytest.mark.parametrize("search", ["exact", "greedy", "top-k"])
def test_what_is_not_on_offer_comes_last(search):
    weight = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)
    q = torch.full((1, 3), 2.0, dtype=torch.float64)
    slate, worth = best_slates(weight, q, torch.zeros(1, dtype=torch.float64), EXAMINATION, search)
    assert slate[0, 0] == 1
    assert len(set(slate[0].tolist())) == 2
    assert worth.item() == pytest.approx(1.0)


def test_an_unknown_search_is_refused():
    with pytest.raises(ValueError, match="search: expected one of exact, greedy, top-k, got 'lp'"):
        best_slates(torch.ones(1, 3), torch.ones(1, 3), torch.ones(1), torch.ones(2), "lp")  # type: ignore[arg-type]


def test_it_is_the_choice_model_of_the_simulator():
    """True utilities and rewards: the simulator's own probabilities, and its own best slates."""
    world = small_world(4)
    states, _ = fresh_states(world, np.arange(50))
    truth = item_truth(world, states)
    weight = torch.from_numpy(np.exp(truth.utility.astype(np.float64)))
    q = torch.from_numpy(truth.value_of_click.astype(np.float64))
    examination = torch.arange(1, 5, dtype=torch.float64) ** -0.66
    slate, worth = best_slates(weight, q, torch.zeros(50, dtype=torch.float64), examination)
    known = slate_truth(world, states, slate.numpy())
    prob = choice_log_prob(torch.log(weight).gather(1, slate), torch.log(examination)).exp()
    np.testing.assert_allclose(prob[:, :4], known.click_prob, atol=1e-5)
    np.testing.assert_allclose(worth, known.expected_reward, rtol=1e-4)
    best = slate_truth(world, states, myopic_slates(world, states)).expected_reward
    np.testing.assert_allclose(worth, best, rtol=1e-4)
