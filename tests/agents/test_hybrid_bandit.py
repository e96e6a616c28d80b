"""Hybrid LinUCB: against algorithm 2 as printed, against one dense ridge regression, and on live users."""

from __future__ import annotations

import numpy as np
import pytest

from agents import LinearBanditConfig, LinearThompson, LinUCB, RandomPolicy
from agents.bandits.context import ContextFeatures
from agents.bandits.hybrid import HybridRidge
from agents.bandits.linear_scores import disjoint_mean, disjoint_variance
from recsim_env import rollout
from tests.agents.live_users import live

RIDGE = 0.7
NUM_SEGMENTS = 4


@pytest.fixture(scope="module")
def features(world):
    return ContextFeatures.of(world.public_catalog, NUM_SEGMENTS)


@pytest.fixture(scope="module")
def seen(features, observation):
    """Three decisions of each of 50 users, 20 items shown at all: item, z, x, reward."""
    draws = np.random.default_rng(3)
    items = draws.integers(20, size=(50, 3))
    z, x = features.shared(observation, items), features.disjoint(observation, items)
    reward = draws.normal(size=150)
    return items.reshape(-1), z.reshape(150, -1), x.reshape(150, -1), reward


@pytest.fixture(scope="module", params=[150, 7], ids=["one batch", "in parts"])
def hybrid(request, features, seen):
    arm, _, x, reward = seen
    fitted = HybridRidge(features, RIDGE)
    for rows in np.split(np.arange(150), range(request.param, 150, request.param)):
        fitted.update(arm[rows], x[rows], reward[rows])
    return fitted


def test_the_shared_features_follow_from_the_item_and_its_own(features, observation):
    items = np.broadcast_to(np.arange(60), (50, 60))
    places, lift = features.lift()
    z, x = features.shared(observation, items), features.disjoint(observation, items)
    rebuilt = np.zeros_like(z)
    where = np.broadcast_to(places[features.topic], (50, *places[features.topic].shape))
    np.put_along_axis(rebuilt, where, np.einsum("nij,bnj->bni", lift, x), axis=2)
    np.testing.assert_array_equal(rebuilt, z)


def test_it_is_ridge_regression_on_stacked_features(features, observation, seen, hybrid):
    """One dense regression on [z, x in the place of its item]: every mean and width, of all items."""
    arm, z, x, reward = seen
    num_items, dim = 60, x.shape[1]

    def stacked(arm, z, x):
        rows = np.zeros((len(arm), num_items, dim))
        rows[np.arange(len(arm)), arm] = x
        return np.concatenate([z, rows.reshape(len(arm), -1)], axis=1)

    design = stacked(arm, z, x)
    inverse = np.linalg.inv(RIDGE * np.eye(design.shape[1]) + design.T @ design)
    coefficients = inverse @ (design.T @ reward)
    every = np.broadcast_to(np.arange(num_items), (50, num_items))
    new = stacked(
        every.reshape(-1),
        features.shared(observation, every).reshape(50 * num_items, -1),
        features.disjoint(observation, every).reshape(50 * num_items, -1),
    )
    expected_mean = (new @ coefficients).reshape(50, num_items)
    expected_variance = ((new @ inverse) * new).sum(axis=1).reshape(50, num_items)
    items = np.arange(num_items)[None]
    mean = disjoint_mean(features, observation, items, hybrid.theta)
    variance = disjoint_variance(features, observation, items, hybrid.covariance)
    np.testing.assert_allclose(hybrid.beta, coefficients[: z.shape[1]], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(variance, expected_variance, rtol=1e-9, atol=1e-11)
    assert np.ptp(variance) > 0.1


def test_it_is_algorithm_2_as_printed(features, observation, seen, hybrid):
    """Row by row, with A_0, b_0, B_a of the paper; its ridge is 1 and ours scales the identities."""
    arm, z, x, reward = seen
    k, d = z.shape[1], x.shape[1]
    shared, shared_moment = RIDGE * np.eye(k), np.zeros(k)
    own = np.stack([RIDGE * np.eye(d)] * 60)
    both, moment = np.zeros((60, d, k)), np.zeros((60, d))
    for a, z_t, x_t, r in zip(arm, z, x, reward, strict=True):
        shared += both[a].T @ np.linalg.solve(own[a], both[a])
        shared_moment += both[a].T @ np.linalg.solve(own[a], moment[a])
        own[a] += np.outer(x_t, x_t)
        both[a] += np.outer(x_t, z_t)
        moment[a] += r * x_t
        shared += np.outer(z_t, z_t) - both[a].T @ np.linalg.solve(own[a], both[a])
        shared_moment += r * z_t - both[a].T @ np.linalg.solve(own[a], moment[a])
    beta = np.linalg.solve(shared, shared_moment)
    for item in (0, 7, 19, 40):
        items = np.full((50, 1), item)
        theta = np.linalg.solve(own[item], moment[item] - both[item] @ beta)
        mean = disjoint_mean(features, observation, items, hybrid.theta)
        variance = disjoint_variance(features, observation, items, hybrid.covariance)
        z_new, x_new = features.shared(observation, items)[:, 0], features.disjoint(observation, items)[:, 0]
        for row in range(50):
            z_t, x_t = z_new[row], x_new[row]
            from_own = both[item].T @ np.linalg.solve(own[item], x_t)
            s = (
                z_t @ np.linalg.solve(shared, z_t)
                - 2 * z_t @ np.linalg.solve(shared, from_own)
                + x_t @ np.linalg.solve(own[item], x_t)
                + from_own @ np.linalg.solve(shared, from_own)
            )
            assert mean[row, 0] == pytest.approx(z_t @ beta + x_t @ theta, rel=1e-8, abs=1e-10)
            assert variance[row, 0] == pytest.approx(s, rel=1e-8, abs=1e-10)


@pytest.fixture(scope="module")
def learned(world):
    return LinUCB(LinearBanditConfig(model="hybrid")).learn(live(world), 5_000, seed=0)


def test_it_learns_what_is_clicked(world, learned):
    """Held-out reward of one step, paired with random: above 0 by more than 3.9 standard errors."""

    def first_reward(policy):
        total = np.zeros(4_000)
        for batch in rollout(
            world, policy, np.arange(4_000), seed=1_002, generator=np.random.default_rng(1), max_steps=1
        ):
            total[batch.user_id] = batch.reward
        return total

    gain = first_reward(learned) - first_reward(RandomPolicy(60))
    assert gain.mean() > 3.9 * gain.std() / np.sqrt(len(gain))


def test_round_trip_is_bit_exact(tmp_path, learned, observation):
    learned.save(tmp_path / "agent")
    loaded = LinUCB.load(tmp_path / "agent")
    assert loaded.config.model == "hybrid"
    for name in ("theta", "covariance", "beta"):
        np.testing.assert_array_equal(
            getattr(loaded.regressions, name), getattr(learned.regressions, name), err_msg=name
        )
    draws = np.random.default_rng(0)
    np.testing.assert_array_equal(
        loaded.act(observation, draws).action, learned.act(observation, draws).action
    )


def test_slates_and_thousands_of_users(slate_world, slate_observation):
    agent = LinUCB(LinearBanditConfig(model="hybrid")).learn(live(slate_world, 4_096), 8_192, seed=0)
    slates = agent.act(slate_observation, np.random.default_rng(0)).action
    assert all(len(set(slate)) == 10 for slate in slates.tolist())


def test_thompson_sampling_has_no_hybrid():
    with pytest.raises(ValueError, match="model: expected 'disjoint' or 'shared' for LinearThompson"):
        LinearThompson(LinearBanditConfig(model="hybrid"))
