import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from recsim_env import Decision, World, get_scenario
from recsim_env.event_log import COLUMNS, EventLog, collect_log

SCENARIO = "recsim_env/StorefrontSlate-v0"
NUM_ITEMS, SLOTS = 10_000, 10


class Uniform:
    """Slates of distinct items: a random first item and those that follow it."""

    name = "uniform"

    def act(self, observation, generator):
        first = generator.integers(NUM_ITEMS, size=len(observation["segment"]))
        return Decision((first[:, None] + np.arange(SLOTS)) % NUM_ITEMS, np.full(len(first), 1 / NUM_ITEMS))


@pytest.fixture(scope="module")
def log():
    return collect_log(SCENARIO, Uniform(), 3_000, seed=5)


def test_it_holds_whole_sessions_of_the_first_users(log):
    assert len(log) >= 3_000
    np.testing.assert_array_equal(np.unique(log.user_id), np.arange(log.num_users))
    last = np.append(np.flatnonzero(np.diff(log.user_id)), len(log) - 1)
    ends = log.terminated | log.truncated
    assert ends[last].all()
    assert ends.sum() == log.num_users
    np.testing.assert_array_equal(log.session_step, log.step)
    assert log.policy == "uniform"


def test_it_says_where_it_comes_from(log):
    scenario = get_scenario(SCENARIO)
    assert log.provenance["scenario"] == SCENARIO
    assert log.provenance["seed"] == 5
    assert log.provenance["max_steps"] == scenario.max_episode_steps
    assert type(scenario.config).from_json(log.provenance["config"]) == scenario.config


def test_a_longer_log_begins_with_the_shorter_one(log):
    shorter = collect_log(SCENARIO, Uniform(), 500, seed=5)
    assert len(shorter) < 600
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(shorter, name), getattr(log, name)[: len(shorter)])
    other = collect_log(SCENARIO, Uniform(), 500, seed=6)
    assert not np.array_equal(other.action[:400], shorter.action[:400])


def test_derived_next_observations_are_those_of_the_next_row(log):
    inner = np.flatnonzero(~(log.terminated | log.truncated))
    derived, logged = log.next_observation(inner), log.observation(inner + 1)
    for key in logged:
        np.testing.assert_array_equal(derived[key], logged[key])
    assert (log.events > 0).any()


def test_replaying_the_actions_gives_the_same_users(log):
    """The logged actions, given to the vector environment, bring back the logged rows."""
    env = gymnasium.make_vec(SCENARIO, num_envs=50, autoreset_mode=AutoresetMode.DISABLED)
    observation, _ = env.reset(seed=5)
    first = np.searchsorted(log.user_id, np.arange(50))
    length = np.searchsorted(log.user_id, np.arange(50), side="right") - first
    for step in range(length.min()):
        rows = first + step
        for key, value in log.observation(rows).items():
            np.testing.assert_array_equal(observation[key], value)
        observation, reward, terminated, truncated, _ = env.step(log.action[rows])
        np.testing.assert_array_equal(observation["last_events"], log.events[rows])
        np.testing.assert_allclose(reward, log.reward[rows], rtol=1e-6)
        np.testing.assert_array_equal(terminated, log.terminated[rows])
        np.testing.assert_array_equal(truncated, log.truncated[rows])


def test_the_final_observation_is_derived_too(log):
    env = gymnasium.make_vec(SCENARIO, num_envs=1, autoreset_mode=AutoresetMode.DISABLED)
    observation, _ = env.reset(seed=5)
    rows = np.flatnonzero(log.user_id == 0)
    for row in rows:
        observation, *_ = env.step(log.action[row][None])
    for key, value in log.next_observation(rows[-1:]).items():
        np.testing.assert_array_equal(observation[key], value)


def test_prices_are_those_of_the_catalog(log):
    prices = World(get_scenario(SCENARIO).config).public_catalog.price
    np.testing.assert_array_equal(log.price, prices[log.action])


def test_it_survives_a_file(log, tmp_path):
    log.save(tmp_path / "log.parquet")
    loaded = EventLog.load(tmp_path / "log.parquet")
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(log, name))
    assert loaded.provenance == log.provenance


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="num_decisions: expected at least 1"):
        collect_log(SCENARIO, Uniform(), 0, seed=0)
    with pytest.raises(ValueError, match="max_steps: needed with a world"):
        collect_log(World(get_scenario(SCENARIO).config), Uniform(), 10, seed=0)
