"""Linear bandits: by hand, against the features written out, and on users whose best item is known."""

from __future__ import annotations

import numpy as np
import pytest

from agents import LinearBanditConfig, LinearThompson, LinUCB, LoggingPolicy, RandomPolicy
from agents.bandits.context import ContextFeatures
from agents.bandits.linear_scores import disjoint_mean, disjoint_variance, shared_mean, shared_variance
from agents.bandits.ridge import Ridge
from agents.spec import ObservationSpec
from recsim_env import RecommenderVectorEnv, rollout
from tests.agents.live_users import live

BANDITS = (LinUCB, LinearThompson)
MODELS = ("disjoint", "shared")
all_bandits = pytest.mark.parametrize("kind", BANDITS)
all_models = pytest.mark.parametrize("model", MODELS)


@pytest.fixture(scope="module")
def learned(world):
    return {
        (kind, model): kind(LinearBanditConfig(model=model)).learn(live(world), 5_000, seed=0)
        for kind in BANDITS
        for model in MODELS
    }


def test_one_feature_by_hand():
    """A = 1 + 2^2 + 1^2 = 6, b = 2 * 1 + 1 * 0.5 = 2.5."""
    one = Ridge(1, 1, ridge=1.0)
    one.update(np.zeros(2, np.int64), np.array([[2.0], [1.0]]), np.array([1.0, 0.5]))
    assert one.theta[0, 0] == pytest.approx(2.5 / 6)
    assert one.covariance[0, 0, 0] == pytest.approx(1 / 6)


def test_arms_learn_apart():
    two = Ridge(2, 2, ridge=0.5)
    two.update(np.array([1]), np.array([[1.0, 0.0]]), np.array([3.0]))
    np.testing.assert_allclose(two.theta, [[0, 0], [2, 0]])
    np.testing.assert_allclose(two.covariance, [np.diag([2, 2]), np.diag([1 / 1.5, 2])])


@pytest.mark.parametrize("every", [True, False], ids=["all items", "candidates"])
def test_scores_are_those_of_the_features_written_out(world, observation, generator, every):
    features = ContextFeatures.of(world.public_catalog, 4)
    items = np.arange(60)[None] if every else generator.integers(60, size=(50, 7))
    each = np.broadcast_to(items, (50, items.shape[1]))
    for x, mean, variance, arms in (
        (features.shared(observation, each), shared_mean, shared_variance, np.zeros_like(each)),
        (features.disjoint(observation, each), disjoint_mean, disjoint_variance, each),
    ):
        dim, num_arms = x.shape[2], int(arms.max()) + 1 if arms.any() else 1
        theta = generator.normal(size=(max(num_arms, 1), dim))
        half = generator.normal(size=(len(theta), dim, dim))
        covariance = half @ half.swapaxes(1, 2)
        np.testing.assert_allclose(
            mean(features, observation, items, theta), np.einsum("bnd,bnd->bn", x, theta[arms]), atol=1e-9
        )
        written_out = np.einsum("bnd,bnde,bne->bn", x, covariance[arms], x)
        np.testing.assert_allclose(
            variance(features, observation, items, covariance), written_out, rtol=1e-9, atol=1e-9
        )


def test_features_by_hand(world):
    topic = world.public_catalog.topic
    first, other = 3, int(np.flatnonzero(topic != topic[3])[0])
    seen = {
        "history_items": np.array([[60] * 7 + [other, first, first]]),
        "history_events": np.array([[0] * 7 + [1, 1, 1]]),
        "last_slate": np.array([[other]]),
        "last_events": np.array([[0]]),
        "segment": np.array([2]),
    }
    features = ContextFeatures.of(world.public_catalog, 4)
    affinity = features.affinity(seen)[0]
    np.testing.assert_allclose(affinity[topic[first]], [2 / 3, 1, 0])
    np.testing.assert_allclose(affinity[topic[other]], [1 / 3, 0, 1])
    assert affinity.sum() == pytest.approx(3)
    x = features.disjoint(seen, np.array([[first]]))[0, 0]
    np.testing.assert_allclose(x, [0, 0, 1, 0, 2 / 3, 1, 0])
    x = features.shared(seen, np.array([[first]]))[0, 0]
    assert x[2 * features.num_topics + topic[first]] == 1
    np.testing.assert_allclose(x[-5:], [2 / 3, 1, 0, *features.item[first]])
    assert np.count_nonzero(x[:-5]) == 1


@all_bandits
@all_models
def test_it_learns_what_is_clicked(world, learned, kind, model):
    """Held-out reward of one step, paired with random: above 0 by more than 3.9 standard errors."""

    def first_reward(policy):
        total = np.zeros(4_000)
        for batch in rollout(
            world, policy, np.arange(4_000), seed=1_002, generator=np.random.default_rng(1), max_steps=1
        ):
            total[batch.user_id] = batch.reward
        return total

    gain = first_reward(learned[kind, model]) - first_reward(RandomPolicy(60))
    assert gain.mean() > 3.9 * gain.std() / np.sqrt(len(gain))


@all_bandits
@all_models
def test_round_trip_is_bit_exact(tmp_path, world, learned, observation, kind, model):
    agent = learned[kind, model]
    agent.save(tmp_path / "agent")
    loaded = kind.load(tmp_path / "agent")
    loaded.check_catalog(world.public_catalog)
    for acting in ("greedy", "explore"):
        config = LinearBanditConfig(model=model, acting=acting)
        agent.config, loaded.config = config, config
        first, again = (one.act(observation, np.random.default_rng(3)) for one in (agent, loaded))
        for before, after in zip(first, again, strict=True):
            np.testing.assert_array_equal(before, after)
    agent.config = LinearBanditConfig(model=model)


@all_bandits
def test_learning_is_repeatable(world, learned, kind):
    again = kind(LinearBanditConfig()).learn(live(world), 5_000, seed=0)
    np.testing.assert_array_equal(again.regressions.theta, learned[kind, "shared"].regressions.theta)


@all_models
def test_a_loop_of_ones_own_learns_what_learn_does(world, learned, model):
    """The same users in the same order, and LinUCB draws nothing: the same sums, bit for bit."""
    env = live(world)
    agent = LinUCB(LinearBanditConfig(model=model, acting="explore"))
    agent.start(ObservationSpec.from_space(env.single_observation_space), world.public_catalog)
    seen, _ = env.reset()
    for _ in range(10):  # 5,000 decisions of 500 users
        action, _ = agent.act(seen, np.random.default_rng(0))
        following, reward, terminated, truncated, _ = env.step(action)
        agent.learn_batch(seen, action, reward, following["last_events"])
        seen, done = following, terminated | truncated
        if done.any():
            seen, _ = env.reset(options={"reset_mask": done})
    expected = learned[LinUCB, model].regressions
    np.testing.assert_array_equal(agent.regressions.precision, expected.precision)
    np.testing.assert_array_equal(agent.regressions.moment, expected.moment)


@all_models
def test_thompson_states_about_the_probability_of_what_it_shows(world, learned, observation, model):
    """The same user 4,000 times: the stated propensity of the most frequent item is near its frequency."""
    agent = LinearThompson.load  # keep the fitted one as it is
    agent = learned[LinearThompson, model]
    config = agent.config
    agent.config = LinearBanditConfig(model=model, acting="explore")
    same = {key: np.repeat(column[:1], 4_000, axis=0) for key, column in observation.items()}
    decision = agent.act(same, np.random.default_rng(0))
    agent.config = config
    items, counts = np.unique(decision.action, return_counts=True)
    share = counts.max() / 4_000
    stated = decision.propensity[decision.action == items[counts.argmax()]]
    expected = share + (1 - share) / 65
    # Error of the share and of the mean of the stated ones, each a mean of independent draws.
    error = np.sqrt(share * (1 - share) / 4_000 + stated.var() / len(stated))
    assert abs(stated.mean() - expected) < 4.5 * error
    assert (decision.propensity > 0).all()


@all_bandits
def test_slates_and_thousands_of_users(slate_world, slate_observation, kind):
    agent = kind(LinearBanditConfig(model="shared")).learn(live(slate_world, 4_096), 8_192, seed=0)
    slates = agent.act(slate_observation, np.random.default_rng(0)).action
    assert slates.shape == (50, 10)
    assert all(len(set(slate)) == 10 for slate in slates.tolist())


@all_bandits
def test_refusals(tmp_path, world, learned, observation, slate_observation, kind):
    draws = np.random.default_rng(0)
    with pytest.raises(RuntimeError, match="let the agent learn or load it first"):
        kind().act(observation, draws)
    with pytest.raises(RuntimeError, match="let the agent learn or load it first"):
        kind().save(tmp_path / "agent")
    with pytest.raises(ValueError, match=r"last_slate.*expected shape \[B, 1\], got \[50, 10\]"):
        learned[kind, "shared"].act(slate_observation, draws)
    with pytest.raises(ValueError, match="autoreset_mode"):
        kind().learn(RecommenderVectorEnv(2, world=world, max_episode_steps=5), 10, seed=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "mixed"}, "model: expected 'disjoint', 'shared' or 'hybrid', got 'mixed'"),
        ({"exploration": -1.0}, "exploration: expected a finite number of at least 0"),
        ({"ridge": 0.0}, "ridge: expected a finite number above 0"),
        ({"acting": "sample"}, "acting: expected 'greedy' or 'explore'"),
        ({"propensity_draws": 0}, "propensity_draws: expected at least 1"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        LinearBanditConfig(**changes)


def test_logging_policies_agree_on_the_share_of_topics(world, observation):
    features = ContextFeatures.of(world.public_catalog, 4)
    share = LoggingPolicy(world.public_catalog).topic_share(observation)
    np.testing.assert_array_equal(features.affinity(observation)[..., 0], share)
