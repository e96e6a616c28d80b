"""A user's trajectory is the same, bit for bit, whatever is served with it, by whom and in which order."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim_env import SCENARIOS, RecommenderVectorEnv, World
from recsim_env.streams import MAX_SEED, MAX_USER_ID
from tests.small_worlds import (
    MODELS,
    SLATE_SIZES,
    Served,
    carry_on,
    configs,
    digest,
    fingerprint,
    fresh_states,
    serve,
    slates_for,
    small_config,
    small_world,
    world_of,
)

ROOT = Path(__file__).parents[2]
SHAPES = [(slate_size, model) for slate_size in SLATE_SIZES for model in MODELS]


def joined(*parts: Served) -> Served:
    """Users served in separate batches, side by side."""
    fields = [
        np.concatenate([getattr(part, name) for part in parts], axis=1)
        for name in ("states", "outcomes", "expected_reward")
    ]
    steps = zip(*(part.observations for part in parts), strict=True)
    return Served(*fields, [type(seen[0])(*map(np.concatenate, zip(*seen, strict=True))) for seen in steps])


@pytest.mark.parametrize(("slate_size", "model"), SHAPES)
def test_alone_and_in_a_batch(slate_size, model):
    world, users = small_world(slate_size, model), [5, 0, 2**40 + 7, 11]
    together = serve(world, users, steps=8)
    alone = joined(*(serve(world, [user], steps=8) for user in users))
    assert fingerprint(alone) == fingerprint(together)


@settings(max_examples=25)
@given(configs(), st.integers(0, MAX_SEED), st.integers(0, 3), st.randoms(use_true_random=False))
def test_shuffled_and_sharded_in_random_worlds(config, seed, visit, random):
    world = world_of(config)
    users = np.array([random.randrange(MAX_USER_ID + 1) for _ in range(12)])
    together = serve(world, users, 5, seed, visit)
    order = random.sample(range(12), 12)
    shuffled = serve(world, users[order], 5, seed, visit)
    assert fingerprint(shuffled.users(np.argsort(order))) == fingerprint(together)
    cut = random.randrange(1, 12)
    shards = [serve(world, part, 5, seed, visit) for part in (users[:cut], users[cut:])]
    assert fingerprint(joined(*shards)) == fingerprint(together)


@pytest.mark.parametrize(("slate_size", "model"), SHAPES)
def test_a_batch_of_seven_and_one_of_seventy_thousand(slate_size, model):
    world = small_world(slate_size, model)
    rows = [0, 1, 255, 256, 40_000, 69_998, 69_999]
    many = serve(world, np.arange(70_000) * 3, steps=3)
    few = serve(world, np.array(rows) * 3, steps=3)
    assert fingerprint(many.users(rows)) == fingerprint(few)


@pytest.mark.parametrize(("slate_size", "model"), SHAPES)
def test_on_one_thread_and_on_several(slate_size, model):
    world, users = small_world(slate_size, model), np.arange(1_500)
    serial, parallel = (serve(world, users, steps=4, parallel=flag) for flag in (False, True))
    assert fingerprint(serial) == fingerprint(parallel)


@pytest.mark.parametrize(("slate_size", "model"), SHAPES)
def test_saved_and_loaded_in_the_middle(tmp_path, slate_size, model):
    world, users = small_world(slate_size, model), np.arange(40)
    whole = serve(world, users, steps=8)
    states = whole.states[4].copy()
    np.save(tmp_path / "states.npy", states)
    loaded = np.load(tmp_path / "states.npy")
    rest = carry_on(World(world.config), loaded, steps=4)
    assert fingerprint(rest) == fingerprint(
        Served(whole.states[4:], whole.outcomes[4:], whole.expected_reward[4:], whole.observations[5:])
    )


def test_copying_a_record_forks_the_user():
    world = small_world(4)
    states, _ = fresh_states(world, np.arange(10))
    fork = states.copy()
    first, second = carry_on(world, states, 4), carry_on(world, fork, 4)
    assert fingerprint(first) == fingerprint(second)


def test_a_visit_does_not_depend_on_the_visits_before():
    world = small_world(4)
    states, _ = fresh_states(world, np.arange(10))
    carry_on(world, states, 6)
    used = world.empty_states(10)
    used[:] = states
    rows = np.arange(10)
    world.reset(0, used, rows, rows, np.full(10, 3))
    assert fingerprint(carry_on(world, used, 5)) == fingerprint(
        carry_on(world, fresh_states(world, rows, visit=3)[0], 5)
    )


CHILD = """
import json, sys
import numpy as np
from tests.small_worlds import fingerprint, serve, small_world
shapes, users = json.loads(sys.argv[1])
print(json.dumps([fingerprint(serve(small_world(*shape), users, 6, seed=9)) for shape in shapes]))
"""


def test_in_another_process():
    users = [3, 2**35, 12, 700]
    here = [fingerprint(serve(small_world(*shape), users, 6, seed=9)) for shape in SHAPES]
    command = [sys.executable, "-c", CHILD, json.dumps([SHAPES, users])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == here


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_single_environment_and_a_row_of_the_batch(scenario):
    """Every scenario, through Gymnasium: observations, rewards, flags and infos of row 2 of 5."""
    vector = gymnasium.make_vec(
        f"recsim_env/{scenario}", num_envs=5, autoreset_mode=AutoresetMode.DISABLED, expected_reward=True
    )
    single = gymnasium.make(f"recsim_env/{scenario}", expected_reward=True)
    batch, batch_info = vector.reset(seed=4, options={"user_ids": np.array([9, 1, 2**33, 4, 0])})
    alone, alone_info = single.reset(seed=4, options={"user_id": 2**33})
    vector.action_space.seed(1)
    over = False
    for _ in range(101):
        for key, value in alone.items():
            np.testing.assert_array_equal(batch[key][2], value, err_msg=key)
        assert {key: values[2] for key, values in batch_info.items()} == alone_info
        if over:
            break
        actions = vector.action_space.sample()
        batch, rewards, terminated, truncated, batch_info = vector.step(actions)
        alone, *rest, alone_info = single.step(actions[2])
        assert rest == [rewards[2], terminated[2], truncated[2]]
        over = rest[1] or rest[2]
        if (others := terminated | truncated).any() and not over:
            batch, _ = vector.reset(options={"reset_mask": others})
            batch_info = {key: np.where(others, 0, values) for key, values in batch_info.items()}
    assert over


@pytest.mark.parametrize("parallel", [False, True])
def test_shards_by_user_ids_are_the_rows_of_the_whole(parallel):
    """Two environments that share the users between them, on one thread or on several."""
    world, users = small_world(4), np.array([7, 2**40, 3, 900, 12, 5])
    sharing = {"world": world, "autoreset_mode": AutoresetMode.DISABLED, "max_episode_steps": 9}
    whole = RecommenderVectorEnv(6, user_ids=users, **sharing)
    shards = [
        RecommenderVectorEnv(3, user_ids=part, parallel=parallel, **sharing)
        for part in (users[:3], users[3:])
    ]
    together = [whole.reset(seed=4)[0]]
    apart = [[shard.reset(seed=4)[0] for shard in shards]]
    done = np.zeros(6, bool)
    while not done.any():
        slates = slates_for(world, whole.state)
        observation, reward, terminated, truncated, _ = whole.step(slates)
        steps = [shard.step(part) for shard, part in zip(shards, (slates[:3], slates[3:]), strict=True)]
        for i, values in enumerate((reward, terminated, truncated), start=1):
            np.testing.assert_array_equal(np.concatenate([step[i] for step in steps]), values)
        done = terminated | truncated
        together.append(observation)
        apart.append([step[0] for step in steps])
    for observation, parts in zip(together, apart, strict=True):
        for key, values in observation.items():
            np.testing.assert_array_equal(np.concatenate([part[key] for part in parts]), values)


def test_from_several_python_threads_at_once():
    """Each with its own states, sharing one world; batches large enough to be split between threads again."""
    world = small_world(4)
    shards = [np.arange(start, start + 1_000) for start in (0, 1_000, 2_000, 3_000)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda users: fingerprint(serve(world, users, 4, parallel=True)), shards))
    assert together == [fingerprint(serve(world, users, 4, parallel=False)) for users in shards]


def test_scratch_carries_nothing_from_call_to_call():
    """The same scratch for slates with and without repeats, for many users and few."""
    world = small_world(4)
    states, _ = fresh_states(world, np.arange(30))
    fresh, reused = states.copy(), states.copy()
    slates, scratch = slates_for(world, states), world.empty_scratch()
    world.step(0, states.copy(), np.full((30, 4), 7), blank_repeats=True, scratch=scratch)
    world.step(0, reused, slates, blank_repeats=False, scratch=scratch)
    world.step(0, fresh, slates, blank_repeats=False)
    assert digest(reused) == digest(fresh)


def test_two_policies_on_one_seed_meet_the_same_users():
    world = small_world(4)
    first, second = (fresh_states(world, np.arange(50), seed=8)[0] for _ in range(2))
    assert digest(first) == digest(second)
    low, high = np.tile([0, 1, 2, 3], (50, 1)), np.tile([9, 8, 7, 6], (50, 1))
    world.step(8, first, low)
    world.step(8, second, high)
    for name in ("user_id", "segment", "taste", "conformity", "price_sensitivity"):
        np.testing.assert_array_equal(first[name], second[name])


def test_another_seed_is_another_population():
    world = small_world(4)
    first, second = (fresh_states(world, np.arange(50), seed=seed)[0] for seed in (8, 9))
    assert not np.array_equal(first["taste"], second["taste"])


def test_the_catalog_does_not_depend_on_the_users_seed_and_worlds_share_nothing():
    first, second = World(small_config()), World(small_config())
    np.testing.assert_array_equal(first.items, second.items)
    assert not np.shares_memory(first.items, second.items)
