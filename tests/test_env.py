"""The single environment: what it accepts, what it says, and in which order users come."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.error import ResetNeeded

import recsim_env
from recsim_env import RecommenderEnv, World
from recsim_env.spaces import SlateSpace
from recsim_env.truth import slate_truth
from tests.small_worlds import BASE, NUM_ITEMS, digest, small_config, small_world

INFO = ["user_id", "visit", "clicks", "likes", "purchases", "revenue"]


def make(slate_size=4, **options):
    return RecommenderEnv(world=small_world(slate_size), **options)


def snapshot(env):
    """Everything that decides how the environment goes on."""
    return digest(env.state), env.seed_value, env.np_random_seed, env._next_user


def test_spaces():
    env = make(4)
    assert env.action_space == SlateSpace(NUM_ITEMS, (4,))
    assert make(1).action_space == spaces.Discrete(NUM_ITEMS)
    assert {key: (space.shape, space.dtype) for key, space in env.observation_space.items()} == {
        "history_items": ((5,), np.int64),
        "history_events": ((5,), np.int64),
        "last_slate": ((4,), np.int64),
        "last_events": ((4,), np.int64),
        "segment": ((), np.int64),
        "session_step": ((1,), np.int64),
    }
    assert env.observation_space["history_items"].high.max() == NUM_ITEMS
    assert env.observation_space["last_events"].high.max() == 7


def test_overrides_reach_the_world_through_make():
    sections = {name: BASE[name] for name in ("catalog", "population")}
    env = gymnasium.make(
        "recsim_env/Storefront-v0", reward={"purchase": 2.0}, slate_size=4, history_length=5, **sections
    )
    config = env.unwrapped.world.config
    assert (config.reward.purchase, config.catalog.num_items, config.slate_size) == (2.0, 60, 4)
    default = recsim_env.get_scenario("Storefront-v0").config
    assert config.choice == default.choice
    assert config.reward.click == default.reward.click


def test_make_without_importing_the_package():
    env = gymnasium.make("recsim_env:recsim_env/Memoryless-v0", catalog={"num_items": 70})
    assert env.unwrapped.world.config.catalog.num_items == 70


@pytest.mark.parametrize("slate_size", [1, 4])
def test_the_observation_tells_the_story_so_far(slate_size):
    env = make(slate_size)
    env.action_space.seed(0)
    for _ in range(20):
        observation, _ = env.reset(seed=None if env.seed_value else 2)
        assert (observation["last_slate"] == NUM_ITEMS).all()
        assert not observation["last_events"].any()
        ended, step = False, 0
        while not ended:
            before, action = observation, env.action_space.sample()
            observation, _, ended, truncated, info = env.step(action)
            step += 1
            assert observation in env.observation_space
            assert observation["session_step"].tolist() == [step]
            np.testing.assert_array_equal(observation["last_slate"], np.atleast_1d(action))
            events = observation["last_events"]
            assert info["clicks"] == np.count_nonzero(events)
            assert info["likes"] == np.count_nonzero(events & 2)
            assert info["purchases"] == np.count_nonzero(events & 4)
            assert not truncated
            clicked = events > 0
            for key, new in (("history_items", np.atleast_1d(action)), ("history_events", events)):
                remembered = np.concatenate([before[key], new[clicked]])[-5:]
                np.testing.assert_array_equal(observation[key], remembered)


def test_users_come_in_order_and_a_chosen_user_leaves_the_order_alone():
    env = make()
    assert [env.reset(seed=1)[1]["user_id"], env.reset()[1]["user_id"]] == [0, 1]
    chosen = env.reset(options={"user_id": 2**40, "visit": 3})[1]
    assert (chosen["user_id"], chosen["visit"]) == (2**40, 3)
    assert env.reset()[1]["user_id"] == 2
    assert env.reset(seed=1)[1]["user_id"] == 0


def test_reset_with_a_seed_reproduces_observations_rewards_and_infos():
    env = make()

    def play():
        env.action_space.seed(5)
        trace, ended = [env.reset(seed=11)], False
        while not ended:
            trace.append(env.step(env.action_space.sample()))
            ended = trace[-1][2]
        return repr(trace)

    first = play()
    for _ in range(3):
        env.reset()
        env.step(env.action_space.sample())
    assert play() == first


def test_unseeded_environments_differ_and_stay_with_their_seed():
    first, second = make(), make()
    first.reset()
    second.reset()
    assert first.seed_value != second.seed_value
    seed = first.seed_value
    first.reset()
    assert first.seed_value == seed == first.np_random_seed % 2**64


@pytest.mark.parametrize("seed", [0, 2**40, 2**63, 2**64 - 1])
def test_large_seeds_count_in_full(seed):
    env = make()
    env.reset(seed=seed)
    assert env.seed_value == seed
    taste = env.state["taste"].copy()
    env.reset(seed=seed ^ 2**35)
    assert not np.array_equal(env.state["taste"], taste)


def test_info_keys_are_the_same_at_every_call():
    env = make(expected_reward=True)
    calls = [env.reset(seed=0)[1]]
    for item in range(3):
        if not env.state["ended"][0]:
            calls.append(env.step([item, item + 1, item + 2, item + 3])[-1])
    assert [list(info) for info in calls] == [[*INFO, "expected_reward"]] * len(calls)
    kinds = [int] * 5 + [float] * 2
    assert all([type(value) for value in info.values()] == kinds for info in calls)
    assert list(make().reset(seed=0)[1]) == INFO


def test_expected_reward_is_the_truth_of_the_state_before_the_step():
    env, quiet = make(expected_reward=True), make()
    env.reset(seed=3)
    quiet.reset(seed=3)
    state, slate = env.state.copy(), np.array([[5, 6, 7, 8]])
    *_, info = env.step(slate[0])
    assert info["expected_reward"] == slate_truth(env.world, state, slate).expected_reward[0]
    quiet.step(slate[0])
    assert digest(quiet.state) == digest(env.state)  # looking does not touch


def test_the_time_limit_of_the_scenario_truncates():
    env = gymnasium.make(
        "recsim_env/Memoryless-v0", session={"patience_scale": 1e6}, catalog={"num_items": 70}
    )
    env.reset(seed=0)
    horizon = recsim_env.get_scenario("Memoryless-v0").max_episode_steps
    flags = [env.step(0)[2:4] for _ in range(horizon)]
    assert flags == [(False, False)] * (horizon - 1) + [(False, True)]


@pytest.mark.parametrize(
    ("slate_size", "action", "message"),
    [
        (1, 60, r"action: expected an item in \[0, 60\), got 60"),
        (1, -1, r"action: expected an item in \[0, 60\), got -1"),
        (1, np.int64(2**40), r"action: expected an item in \[0, 60\), got 1099511627776"),
        (1, 1.0, "action: expected integers, got an array of float64"),
        (1, float("nan"), "action: expected integers, got an array of float64"),
        (1, None, "action: expected integers, got an array of object"),
        (1, "3", "action: expected integers, got an array of <U1"),
        (1, [1, 2], r"action: expected shape \(1, 1\) or \(1,\) for slates of 1, got \(1, 2\)"),
        (4, [0, 1, 2, 60], r"action\[0, 3\]: expected an item in \[0, 60\), got 60"),
        (4, [0, -1, 2, 3], r"action\[0, 1\]: expected an item in \[0, 60\), got -1"),
        (4, [0, 2**32, 2, 3], r"action\[0, 1\]: expected an item in \[0, 60\), got 4294967296"),
        (4, [0, 1, 0, 3], r"action\[0, 2\]: item 0 is already on this slate, and duplicates='error'"),
        (4, [0, 1, 2], r"action: expected shape \(1, 4\) for slates of 4, got \(1, 3\)"),
        (4, 3, r"action: expected shape \(1, 4\) for slates of 4, got \(1,\)"),
        (4, [0.0, 1.0, 2.0, 3.0], "action: expected integers, got an array of float64"),
        (4, [0, 1, 2, float("nan")], "action: expected integers, got an array of float64"),
        (4, np.array([True, False, True, True]), "action: expected integers, got an array of bool"),
    ],
)
def test_a_wrong_action_is_named_and_changes_nothing(slate_size, action, message):
    env = make(slate_size)
    env.reset(seed=4)
    before = snapshot(env)
    with pytest.raises(ValueError, match=message):
        env.step(action)
    assert snapshot(env) == before
    twin = make(slate_size)
    twin.reset(seed=4)
    good = 3 if slate_size == 1 else [3, 1, 4, 15]
    assert repr(env.step(good)) == repr(twin.step(good))


@pytest.mark.parametrize("action", [7, np.int32(7), np.uint8(7), np.array(7), np.array([7], np.int16)])
def test_any_integer_is_an_item(action):
    env = make(1)
    env.reset(seed=0)
    assert env.step(action)[0]["last_slate"].tolist() == [7]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"user": 3}, r"reset options: unknown key 'user'; did you mean 'user_id'"),
        ({"user_id": -1}, r"user_id: expected an integer in \[0, 17592186044415\], got -1"),
        ({"user_id": 2**44}, r"user_id: expected an integer in \[0, 17592186044415\], got 17592186044416"),
        ({"user_id": 1.5}, r"user_id: expected an integer in .*, got 1\.5"),
        ({"user_id": float("nan")}, r"user_id: expected an integer in .*, got nan"),
        ({"user_id": [3, 4]}, r"user_id: expected an integer in .*, got \[3, 4\]"),
        ({"user_id": 1, "visit": -1}, r"visit: expected an integer in \[0, 1048575\], got -1"),
        ({"user_id": 1, "visit": 2**20}, r"visit: expected an integer in \[0, 1048575\], got 1048576"),
        ({"visit": 0.5}, r"visit: expected an integer in \[0, 1048575\], got 0\.5"),
    ],
)
@pytest.mark.parametrize("seed", [None, 99])
def test_wrong_reset_options_are_named_and_change_nothing(options, message, seed):
    env = make()
    env.reset(seed=4)
    before = snapshot(env)
    with pytest.raises(ValueError, match=message):
        env.reset(seed=seed, options=options)
    assert snapshot(env) == before


def test_stepping_before_reset_and_after_the_end_is_refused():
    env = make()
    with pytest.raises(ResetNeeded, match="call reset"):
        env.step([0, 1, 2, 3])
    env.reset(seed=0)
    while not env.step([0, 1, 2, 3])[2]:
        pass
    before = snapshot(env)
    with pytest.raises(ResetNeeded, match="call reset"):
        env.step([0, 1, 2, 3])
    assert snapshot(env) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scenario": "Storefrot-v0"}, r"unknown scenario 'Storefrot-v0'; did you mean 'Storefront-v0'"),
        ({"duplicates": "ignroe"}, r"duplicates: got 'ignroe'; did you mean 'ignore'"),
        ({"rewards": {}}, r"unknown field 'rewards'; did you mean 'reward'"),
        ({"reward": {"click": float("nan")}}, r"RewardConfig\.click: expected a number in .*, got nan"),
        (
            {"funnel": {"like_bais": 1.0}},
            r"FunnelConfig: unknown field 'like_bais'; did you mean 'like_bias'",
        ),
        ({"slate_size": 2_000}, r"slate_size: expected an integer in \[1, 1000\], got 2000"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        RecommenderEnv(**options)


def test_a_ready_world_takes_no_overrides():
    with pytest.raises(
        ValueError, match=r"world: expected no overrides beside a ready world, got \['reward'\]"
    ):
        make(reward={"click": 1.0})


def test_duplicates_can_be_ignored():
    strict, lenient = make(), make(duplicates="ignore")
    for env in (strict, lenient):
        env.reset(seed=5)
    with pytest.raises(ValueError, match="duplicates='error'"):
        strict.step([5, 5, 7, 7])
    observation, *_ = lenient.step([5, 5, 7, 7])
    assert not observation["last_events"][[1, 3]].any()
    assert observation["last_slate"].tolist() == [5, 5, 7, 7]


def test_environments_share_a_world_without_touching_each_other():
    world = World(small_config())
    first, second = RecommenderEnv(world=world), RecommenderEnv(world=world)
    first.reset(seed=1)
    second.reset(seed=2)
    before = digest(first.state)
    second.step([0, 1, 2, 3])
    assert digest(first.state) == before
