"""Flat observations: what stands where, the same for one user and for a batch."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import FilterObservation, RecordEpisodeStatistics

from recsim_env import RecommenderEnv, RecommenderVectorEnv
from recsim_env.wrappers import (
    EVENT_BITS,
    FlattenHistory,
    FlattenHistoryVector,
    HistoryFlattener,
    item_features,
)
from tests.small_worlds import HISTORY, NUM_ITEMS, small_world

TOPICS, SEGMENTS = 4, 4
SLOT = TOPICS + 2 + 3


def batch(num_envs=3, slate_size=4, mode=AutoresetMode.NEXT_STEP):
    return RecommenderVectorEnv(num_envs, world=small_world(slate_size), autoreset_mode=mode)


def test_item_features_are_the_public_side_standardised():
    public = small_world().public_catalog
    features = item_features(public)
    assert features.shape == (NUM_ITEMS + 1, TOPICS + 2)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features[:-1, :TOPICS].argmax(axis=1), public.topic)
    assert (features[:-1, :TOPICS].sum(axis=1) == 1).all()
    for column, values in ((-2, np.log(public.price)), (-1, np.log(public.base_popularity))):
        standard = (values - values.mean()) / values.std()
        np.testing.assert_allclose(features[:-1, column], standard, atol=1e-5)
    assert not features[-1].any()


def test_features_that_all_items_share_are_zero():
    world = small_world(4, catalog={"popularity_exponent": 0.0, "price_log_std": 0.0})
    assert not item_features(world.public_catalog)[:, -2:].any()
    one = small_world(1, catalog={"num_items": 1})
    assert np.isfinite(HistoryFlattener(one).space.low).all()


def test_event_bits():
    assert EVENT_BITS.tolist() == [[mask & 1, mask >> 1 & 1, mask >> 2] for mask in range(8)]


def by_hand(world, seen):
    features = item_features(world.public_catalog)
    parts = []
    for items, events in (("history_items", "history_events"), ("last_slate", "last_events")):
        for item, event in zip(seen[items], seen[events], strict=True):
            parts += [features[item], [event & 1, event >> 1 & 1, event >> 2 & 1]]
    step = seen["session_step"][0]
    return np.concatenate([*parts, np.eye(SEGMENTS)[seen["segment"]], [step / (step + 10.0)]])


@pytest.mark.parametrize("slate_size", [1, 4])
def test_the_layout_by_hand(slate_size):
    env = RecommenderEnv(world=small_world(slate_size))
    flat = FlattenHistory(env)
    env.action_space.seed(0)
    for _ in range(8):
        observation, _ = flat.reset(seed=None if env.seed_value else 3)
        ended = False
        while not ended:
            seen = env._user.observation()
            assert observation.shape == ((HISTORY + slate_size) * SLOT + SEGMENTS + 1,)
            assert observation.dtype == np.float32
            assert observation in flat.observation_space
            np.testing.assert_array_equal(observation, by_hand(env.world, seen).astype(np.float32))
            observation, _, ended, _, _ = flat.step(env.action_space.sample())


def test_the_limits_are_finite_and_no_wider_than_the_catalog_needs():
    space = FlattenHistory(RecommenderEnv(world=small_world())).observation_space
    assert np.isfinite(space.low).all()
    assert np.isfinite(space.high).all()
    features = item_features(small_world().public_catalog)
    np.testing.assert_array_equal(space.high[:SLOT], [*features.max(axis=0), 1, 1, 1])
    np.testing.assert_array_equal(space.low[:SLOT], [*features.min(axis=0), 0, 0, 0])


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
def test_a_row_of_the_batch_is_the_single_environment(mode):
    vector = FlattenHistoryVector(batch(mode=mode))
    single = FlattenHistory(RecommenderEnv(world=small_world()))
    vector.action_space.seed(2)
    many, _ = vector.reset(seed=4)
    alone, _ = single.reset(seed=4, options={"user_id": 1})
    ended = False
    while not ended:
        assert many in vector.observation_space
        np.testing.assert_array_equal(many[1], alone)
        actions = vector.action_space.sample()
        many, _, terminated, _, _ = vector.step(actions)
        alone, _, ended, _, _ = single.step(actions[1])
        assert ended == terminated[1]
        if mode is AutoresetMode.DISABLED and terminated.any() and not ended:
            many, _ = vector.reset(options={"reset_mask": terminated})
    np.testing.assert_array_equal(many[1], alone)


def test_spaces_of_the_batch():
    env = FlattenHistoryVector(batch(3))
    assert (
        env.single_observation_space == FlattenHistory(RecommenderEnv(world=small_world())).observation_space
    )
    assert env.observation_space.shape == (3, *env.single_observation_space.shape)
    assert env.action_space == batch(3).action_space


def test_around_and_inside_other_wrappers():
    made = FlattenHistory(gymnasium.make("recsim_env/Storefront-v0", catalog={"num_items": 60}))
    outer = RecordEpisodeStatistics(made)
    assert outer.reset(seed=0)[0] in outer.observation_space
    vector = gymnasium.make_vec("recsim_env/Storefront-v0", num_envs=2, catalog={"num_items": 60})
    wrapped = FlattenHistoryVector(gymnasium.wrappers.vector.RecordEpisodeStatistics(vector))
    assert wrapped.reset(seed=0)[0] in wrapped.observation_space


def test_it_is_recorded_in_the_spec():
    env = FlattenHistory(gymnasium.make("recsim_env/Storefront-v0", catalog={"num_items": 60}))
    assert env.spec.additional_wrappers[-1].name == "FlattenHistory"
    again = gymnasium.make(env.spec)
    np.testing.assert_array_equal(again.reset(seed=1)[0], env.reset(seed=1)[0])


def test_every_observation_is_a_fresh_array():
    flattener = HistoryFlattener(small_world())
    seen, _ = RecommenderEnv(world=small_world()).reset(seed=0)
    first = flattener(seen)
    first.fill(9)
    assert not (flattener(seen) == 9).any()


class NotOurs(gymnasium.Env):
    observation_space = gymnasium.spaces.Discrete(2)


def test_other_environments_are_refused():
    with pytest.raises(TypeError, match="FlattenHistory: env: expected an environment of recsim_env"):
        FlattenHistory(NotOurs())
    filtered = FilterObservation(RecommenderEnv(world=small_world()), ["segment"])
    with pytest.raises(ValueError, match="FlattenHistory: env: expected the environment's own observations"):
        FlattenHistory(filtered)
    with pytest.raises(ValueError, match="autoreset_mode to be NEXT_STEP or DISABLED"):
        FlattenHistoryVector(batch(mode=AutoresetMode.SAME_STEP))
