"""A fork goes on bit for bit like its original, apart from it, without a new catalog or compilation."""

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from recsim_env import RecommenderEnv, RecommenderVectorEnv
from tests.small_worlds import digest, fresh_states, slates_for, small_world

MODES = list(AutoresetMode)
HORIZON = 4


def plain(step):
    """A step as text, so that every bit counts."""
    with np.printoptions(floatmode="unique", threshold=10**6):
        return repr(step)


def batch(mode, slate_size=4, **arguments):
    world = small_world(slate_size)
    return RecommenderVectorEnv(
        5,
        world=world,
        autoreset_mode=mode,
        max_episode_steps=HORIZON,
        user_ids=[7, 3, 9, 3, 11, 20, 21],
        expected_reward=True,
        **arguments,
    )


def served(env, actions):
    """Steps, and resets of the rows that ended where nobody else resets them, as text."""
    trace = []
    for action in actions:
        step = env.step(action)
        trace.append(plain(step))
        over = step[2] | step[3]
        if env.autoreset_mode is AutoresetMode.DISABLED and over.any():
            trace.append(plain(env.reset(options={"reset_mask": over})))
    return trace


def script(env, count, seed=8):
    env.action_space.seed(seed)
    return [env.action_space.sample() for _ in range(count)]


@pytest.mark.parametrize("after", [0, 1, 3, 4, 7])
@pytest.mark.parametrize("slate_size", [1, 4])
@pytest.mark.parametrize("mode", MODES)
def test_a_fork_of_a_batch_replays_what_the_original_does(mode, slate_size, after):
    """Forked at the start, mid-session, when sessions have just ended, and later; through 12 more steps."""
    env = batch(mode, slate_size)
    env.reset(seed=6)
    actions = script(env, after + 12)
    served(env, actions[:after])
    twin = env.fork()
    assert twin.world is env.world
    trace = served(env, actions[after:])
    assert served(twin, actions[after:]) == trace
    assert plain(twin.reset()) == plain(env.reset())
    assert plain(twin.reset(seed=3)) == plain(env.reset(seed=3))


@pytest.mark.parametrize("mode", MODES)
def test_stepping_a_fork_of_a_batch_changes_nothing_in_the_original(mode):
    env, again = batch(mode), batch(mode)
    for one in (env, again):
        one.reset(seed=6)
    actions = script(env, 10)
    for one in (env, again):
        served(one, actions[:3])
    twin = env.fork()
    served(twin, script(batch(mode), 9, seed=1))
    twin.reset(seed=99)
    twin.action_space.seed(4)
    assert served(env, actions[3:]) == served(again, actions[3:])
    assert digest(env.state) == digest(again.state)


def alone(slate_size=4, **session):
    return RecommenderEnv(world=small_world(slate_size, session=session or {}), expected_reward=True)


@pytest.mark.parametrize("slate_size", [1, 4])
def test_a_fork_of_a_single_environment_replays_what_the_original_does(slate_size):
    env = alone(slate_size, patience_scale=1e4)
    env.reset(seed=6)
    actions = script(env, 9)
    for action in actions[:2]:
        env.step(action)
    twin = env.fork()
    assert twin.world is env.world
    trace = [plain(env.step(action)) for action in actions[2:]]
    assert [plain(twin.step(action)) for action in actions[2:]] == trace
    assert plain(twin.reset()) == plain(env.reset())
    assert plain([env.action_space.sample() for _ in range(3)]) == plain(
        [twin.action_space.sample() for _ in range(3)]
    )


def test_stepping_a_fork_of_a_single_environment_changes_nothing_in_the_original():
    env, again = (alone(4, patience_scale=1e4) for _ in range(2))
    for one in (env, again):
        one.reset(seed=6)
    actions = script(env, 4)
    twin = env.fork()
    for action in actions:
        twin.step(action)
    twin.reset(seed=1)
    assert [plain(env.step(action)) for action in actions] == [
        plain(again.step(action)) for action in actions
    ]
    assert plain(env.reset()) == plain(again.reset())


def test_a_fork_after_the_end_is_over_too_and_goes_on_with_the_next_user():
    env = alone(4, patience_scale=1e-3)
    env.reset(seed=6)
    while not env.step([0, 1, 2, 3])[2]:
        pass
    twin = env.fork()
    with pytest.raises(ResetNeeded):
        twin.step([0, 1, 2, 3])
    assert plain(twin.reset()) == plain(env.reset())
    assert plain(twin.step([0, 1, 2, 3])) == plain(env.step([0, 1, 2, 3]))


def test_a_fork_before_the_first_reset():
    env = alone()
    twin = env.fork()
    with pytest.raises(ResetNeeded):
        twin.step([0, 1, 2, 3])
    assert plain(twin.reset(seed=2)) == plain(env.reset(seed=2))


def test_a_fork_neither_compiles_nor_draws_a_catalog(monkeypatch):
    env, vector = alone(), batch(AutoresetMode.SAME_STEP)

    def refuse(*arguments):
        raise AssertionError("a fork is made of what is there")

    monkeypatch.setattr("recsim_env.one_user.specialise", refuse)
    monkeypatch.setattr("recsim_env.world.draw_catalog", refuse)
    for original in (env, vector):
        original.reset(seed=1)
        assert original.fork().world is original.world


def test_what_is_inside_wrappers_can_be_forked():
    env = gymnasium.make("recsim_env/Storefront-v0", catalog={"num_items": 60})
    env.reset(seed=1)
    env.step(5)
    twin = env.unwrapped.fork()
    step, bare = env.step(6), twin.step(6)
    assert plain(bare) == plain(step)
    vector = RecordEpisodeStatistics(batch(AutoresetMode.NEXT_STEP))
    vector.reset(seed=1)
    actions = script(vector, 6)
    twin = vector.unwrapped.fork()
    for action in actions:
        expected, forked = vector.step(action), twin.step(action)
        assert plain(forked[:4]) == plain(expected[:4])


def test_a_copy_of_records_is_a_fork():
    world = small_world(4)
    states, _ = fresh_states(world, [1, 2, 3])
    fork, before = states.copy(), states.copy()
    outcomes, observation = world.step(0, fork, slates_for(world, fork))
    assert digest(states) == digest(before)
    expected, seen = world.step(0, states, slates_for(world, states))
    assert digest(outcomes) == digest(expected)
    assert digest(fork) == digest(states)
    assert digest(*observation) == digest(*seen)


def test_a_fork_shows_the_session_so_far_and_then_its_own():
    env = RecommenderEnv(world=small_world(4, session={"patience_scale": 1e4}), render_mode="ansi")
    env.reset(seed=6)
    env.step([0, 1, 2, 3])
    twin = env.fork()
    shown = env.render()
    assert twin.render() == shown
    twin.step([4, 5, 6, 7])
    assert env.render() == shown
    env.step([4, 5, 6, 7])
    assert env.render() == twin.render() != shown
