"""Users and items follow the laws of their configs."""

import numpy as np
import pytest
from scipy import stats

from recsim_env import World
from tests.small_worlds import NUM_ITEMS, fresh_states, small_config, small_world
from tests.statistical.reference import ALPHA, SIGMAS

COUNT = 20_000


def people(seed=0, visit=0, **population):
    world = small_world(1, population=population)
    return fresh_states(world, np.arange(COUNT), seed, visit)[0]


@pytest.mark.parametrize(("scale", "shape"), [(24.0, 2.0), (5.0, 0.7)])
def test_patience_is_lomax(scale, shape):
    world = small_world(1, session={"patience_scale": scale, "patience_shape": shape})
    patience = fresh_states(world, np.arange(COUNT))[0]["patience"]
    law = stats.lomax(c=shape, scale=scale)
    assert stats.kstest(patience, law.cdf).pvalue > ALPHA
    quantiles = np.array([0.1, 0.5, 0.9, 0.99])
    below = [(patience < law.ppf(q)).sum() for q in quantiles]
    for count, q in zip(below, quantiles, strict=True):
        assert stats.binomtest(int(count), COUNT, q).pvalue > ALPHA


def test_without_refund_the_session_lasts_until_patience_is_spent():
    """A session of L steps: (L - 1) cost < patience <= L cost, so P(L > n) is the Lomax tail at n cost."""
    world = small_world(1, session={"refund": 0.0, "step_cost": 2.0, "patience_scale": 8.0})
    states, _ = fresh_states(world, np.arange(COUNT))
    patience, length = states["patience"].copy(), np.zeros(COUNT, int)
    for step in range(30):
        idle = states["ended"].copy()
        outcomes, _ = world.step(0, states, np.full((COUNT, 1), step), idle=idle)
        length[~idle] += 1
        np.testing.assert_array_equal(outcomes["terminated"][~idle], states["ended"][~idle])
    ended = states["ended"]
    np.testing.assert_array_equal(length[ended], np.maximum(np.ceil(patience[ended] / 2), 1))
    law = stats.lomax(c=2.0, scale=8.0)
    for n in (1, 3, 10):
        assert stats.binomtest(int((length > n).sum()), COUNT, law.sf(2.0 * n)).pvalue > ALPHA


def test_a_refund_prolongs_sessions():
    lengths = []
    for refund in (0.0, 0.9):
        world = small_world(1, session={"refund": refund})
        states, _ = fresh_states(world, np.arange(2_000))
        for step in range(20):
            world.step(0, states, np.full((2_000, 1), step), idle=states["ended"].copy())
        lengths.append(states["step"])
    assert (lengths[1] >= lengths[0]).all()
    assert lengths[1].sum() > lengths[0].sum()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 1.0])
def test_cold_share(share):
    cold = (people(cold_share=share)["history_items"] == NUM_ITEMS).all(axis=1).sum()
    assert stats.binomtest(int(cold), COUNT, share).pvalue > ALPHA


def test_segments_and_history_lengths_are_uniform():
    states = people(num_segments=7, cold_share=0.0)
    assert stats.chisquare(np.bincount(states["segment"], minlength=7)).pvalue > ALPHA
    lengths = (states["history_items"] < NUM_ITEMS).sum(axis=1)
    assert stats.chisquare(np.bincount(lengths)[2:6]).pvalue > ALPHA
    assert lengths.min() == 2


def test_traits_are_normal_cut_at_zero():
    traits = {"conformity_mean": 0.3, "conformity_std": 0.2}
    states = people(price_sensitivity_mean=0.6, price_sensitivity_std=0.2, **traits)
    for name, mean, std in (("conformity", 0.3, 0.2), ("price_sensitivity", 0.6, 0.2)):
        cut = int((states[name] == 0).sum())
        assert stats.binomtest(cut, COUNT, stats.norm.cdf(-mean / std)).pvalue > ALPHA
        law = stats.truncnorm(-mean / std, np.inf, loc=mean, scale=std)
        assert stats.kstest(states[name][states[name] > 0], law.cdf).pvalue > ALPHA


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_a_segment_prefers_its_topics(strength):
    """Two segments: a favourite is the segment's own with probability strength + (1 - strength) / 2."""
    states = people(segment_strength=strength, second_topic_weight=0.0, taste_noise=0.0, num_segments=2)
    centres = small_world(1).topic_centres
    favourite = np.argmax(states["taste"] @ centres.T, axis=1)
    np.testing.assert_allclose(states["taste"], centres[favourite], atol=1e-6)
    own = int((favourite % 2 == states["segment"]).sum())
    assert stats.binomtest(own, COUNT, strength + (1 - strength) / 2).pvalue > ALPHA


def test_taste_and_interest_are_unit_vectors_and_interest_is_near_taste():
    states = people(interest_noise=0.2)
    for name in ("taste", "interest"):
        np.testing.assert_allclose(np.linalg.norm(states[name].astype(float), axis=1), 1, atol=1e-6)
    cosine = (states["taste"].astype(float) * states["interest"]).sum(axis=1)
    # unit(theta + noise of length about 0.2): cosine about 1 / sqrt(1 + 0.2^2 (D - 1) / D)
    assert cosine.mean() == pytest.approx(1 / np.sqrt(1 + 0.04 * 7 / 8), abs=0.005)


def test_traits_stay_over_visits_while_luck_changes():
    first, second = people(visit=0), people(visit=1)
    for name in ("segment", "taste", "conformity", "price_sensitivity"):
        np.testing.assert_array_equal(first[name], second[name])
    assert abs(
        stats.pearsonr(np.log1p(first["patience"]), np.log1p(second["patience"])).statistic
    ) < 4 / np.sqrt(COUNT)
    assert (first["history_items"] != second["history_items"]).any(axis=1).mean() > 0.8


def test_organic_items_suit_their_user():
    """An organic item is the best of the candidates, so its match beats that of a random item."""
    world = small_world(1)
    states = fresh_states(world, np.arange(2_000))[0]
    history = states["history_items"]
    warm = history < NUM_ITEMS
    matches = np.einsum(
        "bd,bhd->bh", states["interest"], world.items["embedding"][np.where(warm, history, 0)]
    )
    everything = states["interest"] @ world.items["embedding"].T
    assert matches[warm].mean() > everything.mean() + 0.2


def catalog(**changes):
    sizes = {"num_items": 20_000, "num_topics": 4}
    return World(small_config(1, catalog={**sizes, **changes})).catalog


def test_the_catalog_follows_its_laws():
    items = catalog(
        price_median=30.0, price_log_std=0.7, appeal_scale=0.5, quality_appeal_correlation=-0.6
    ).items
    assert stats.kstest(items["quality"], "uniform").pvalue > ALPHA
    assert stats.kstest(items["appeal"], stats.norm(scale=0.5).cdf).pvalue > ALPHA
    assert stats.kstest(items["price"], stats.lognorm(s=0.7, scale=30.0).cdf).pvalue > ALPHA
    assert stats.chisquare(np.bincount(items["topic"])).pvalue > ALPHA
    score = stats.norm.ppf(items["quality"].astype(float))
    correlation = stats.pearsonr(items["appeal"], score).statistic
    assert abs(np.arctanh(correlation) - np.arctanh(-0.6)) < SIGMAS / np.sqrt(20_000 - 3)
    np.testing.assert_allclose(np.linalg.norm(items["embedding"].astype(float), axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.5])
def test_base_popularity_is_zipf_in_a_random_order(exponent):
    drawn = catalog(popularity_exponent=exponent)
    weights = np.arange(1, 20_001) ** -exponent
    np.testing.assert_allclose(np.sort(drawn.base_popularity)[::-1], weights / weights.sum(), rtol=1e-12)
    centred = np.log(drawn.base_popularity) - np.log(drawn.base_popularity).mean()
    np.testing.assert_allclose(drawn.items["log_popularity"], centred, atol=1e-5)
    if exponent:
        order = stats.spearmanr(drawn.base_popularity, np.arange(20_000)).statistic
        assert abs(order) < SIGMAS / np.sqrt(20_000)


def test_perfect_correlation_of_quality_and_appeal():
    for correlation in (-1.0, 1.0):
        items = catalog(quality_appeal_correlation=correlation).items
        ranks = stats.spearmanr(items["quality"], items["appeal"]).statistic
        assert ranks == pytest.approx(correlation, abs=1e-6)
