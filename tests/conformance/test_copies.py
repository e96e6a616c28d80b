"""Copies go on exactly like their original and apart from it; what was handed out never changes."""

import copy
import pickle

import cloudpickle
import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode

from recsim_env import RecommenderEnv, RecommenderVectorEnv, World
from recsim_env.wrappers import FlattenHistory, FlattenHistoryVector
from tests.small_worlds import digest, fingerprint, serve, small_config, small_world

COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),
    "cloudpickle": lambda env: cloudpickle.loads(cloudpickle.dumps(env)),
}
LONG = {"patience_scale": 1e4}


def single(slate_size=4):
    return RecommenderEnv(world=small_world(slate_size, session=LONG))


def batch():
    return RecommenderVectorEnv(3, world=small_world(4, session=LONG), autoreset_mode=AutoresetMode.DISABLED)


MAKERS = {
    "single": single,
    "one item": lambda: single(1),
    "as made": lambda: gymnasium.make("recsim_env/Storefront-v0", session=LONG, catalog={"num_items": 60}),
    "flat": lambda: FlattenHistory(single()),
    "vector": batch,
    "flat vector": lambda: FlattenHistoryVector(batch()),
}


def plain(step):
    """A step as text, so that every bit counts."""
    with np.printoptions(floatmode="unique", threshold=10**6):
        return repr(step)


def actions(env, count):
    env.action_space.seed(8)
    return [env.action_space.sample() for _ in range(count)]


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_copy_goes_on_like_the_original_and_apart_from_it(make, copied):
    env = make()
    env.reset(seed=6)
    script = actions(env, 6)
    env.step(script[0])
    twin = copied(env)
    trace = [plain(env.step(action)) for action in script[1:4]]
    assert [plain(twin.step(action)) for action in script[1:4]] == trace
    twin.reset()
    rest = plain(env.step(script[4]))
    again = make()
    again.reset(seed=6)
    for action in script[:4]:
        again.step(action)
    assert plain(again.step(script[4])) == rest
    assert plain(env.reset()) == plain(again.reset())


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_of_an_environment_that_was_never_reset(copied):
    env = copied(single())
    assert env.reset(seed=1)[1]["user_id"] == 0
    assert env.seed_value == 1


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_of_a_world(copied):
    world = World(small_config())
    assert fingerprint(serve(copied(world), [1, 2, 3], 4)) == fingerprint(serve(world, [1, 2, 3], 4))


def test_the_state_can_be_saved_and_put_back():
    """Copying records into ``state`` takes an environment back to them."""
    env = single()
    env.reset(seed=2)
    saved = env.state.copy()
    first = plain(env.step([0, 1, 2, 3]))
    env.step([4, 5, 6, 7])
    env.state[:] = saved
    assert plain(env.step([0, 1, 2, 3])) == first


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_what_was_handed_out_never_changes(make):
    env = make()
    handed_out = [env.reset(seed=6)]
    texts = [plain(handed_out[0])]
    for action in actions(env, 4):
        handed_out.append(env.step(action))
        texts.append(plain(handed_out[-1]))
    handed_out.append(env.reset())
    texts.append(plain(handed_out[-1]))
    assert [plain(data) for data in handed_out] == texts


@pytest.mark.parametrize("make", [single, batch], ids=["single", "vector"])
def test_writing_into_what_was_handed_out_reaches_nothing(make):
    env, twin = make(), make()
    observation, info = env.reset(seed=6)
    twin.reset(seed=6)
    script = actions(env, 2)
    for values in (observation, info):
        for value in values.values():
            if isinstance(value, np.ndarray):
                value.fill(1)
    step = env.step(script[0])
    assert plain(step) == plain(twin.step(script[0]))
    for value in (*step[0].values(), *step[4].values()):
        if isinstance(value, np.ndarray):
            value.fill(0)
    assert plain(env.step(script[1])) == plain(twin.step(script[1]))
    assert digest(env.state) == digest(twin.state)


def test_actions_are_not_kept():
    env, twin = batch(), batch()
    for one in (env, twin):
        one.reset(seed=6)
    action = np.tile([3, 1, 4, 15], (3, 1))
    observation, *_ = env.step(action)
    action.fill(0)
    np.testing.assert_array_equal(observation["last_slate"], np.tile([3, 1, 4, 15], (3, 1)))
    twin.step(np.tile([3, 1, 4, 15], (3, 1)))
    assert digest(env.state) == digest(twin.state)


@pytest.mark.slow
def test_worker_processes_serve_single_environments():
    """Gymnasium's AsyncVectorEnv pickles the maker and runs one environment per process."""
    env = AsyncVectorEnv([single] * 2, context="spawn")
    try:
        observation, _ = env.reset(seed=[4, 4])
        np.testing.assert_array_equal(observation["history_items"][0], observation["history_items"][1])
    finally:
        env.close()
