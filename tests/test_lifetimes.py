"""Episodes of several visits: what is carried over, and how they end."""

import gymnasium
import numpy as np
import pytest

from recsim_env import RecommenderEnv, RecommenderVectorEnv, rollout
from recsim_env.world import LIFETIME_VISITS
from tests.small_worlds import fresh_states, slates_for, small_world

RETURNS = {"lifetime_hours": 500.0, "gap_median": 20.0, "churn_bias": -2.0, "satiation_half_life": 10.0}


@pytest.fixture(scope="module")
def world():
    return small_world(4, returns=RETURNS)


def last_steps(world, count=400, seed=3):
    """(states before, after, outcomes, observation) of a step that ends the visit of every user."""
    states, _ = fresh_states(world, np.arange(count), seed)
    for _ in range(2):
        states["patience"] = 9.0
        world.step(seed, states, slates_for(world, states))
    states["patience"] = 1e-3
    before = states.copy()
    outcomes, observation = world.step(seed, states, slates_for(world, states))
    return before, states, outcomes, observation


def test_a_session_ends_a_visit_and_the_next_begins_in_the_same_step(world):
    before, after, outcomes, observation = last_steps(world)
    back = ~outcomes["terminated"] & ~outcomes["truncated"]
    assert 0 < back.sum() < len(back)
    assert outcomes["visit_ended"].all()
    np.testing.assert_array_equal(outcomes["visit"], before["visit"])
    np.testing.assert_array_equal(after["visit"], before["visit"] + back)
    np.testing.assert_array_equal(after["ended"], ~back)
    assert not observation.session_step[back].any()
    assert (observation.hours_away[back] > 0).all()
    assert (after["decisions"] == 3).all()
    assert (after["patience"][back] > 1e-3).all()


def test_what_is_carried_over(world):
    """Identity, memory and satisfaction stay, satiation fades with the hours, interest starts near taste."""
    before, after, outcomes, _ = last_steps(world)
    back = np.flatnonzero(~outcomes["terminated"] & ~outcomes["truncated"])
    gap = after["hour"][back] - before["hour"][back]
    stay = before.copy()
    stay["patience"] = 9.0
    world.step(3, stay, slates_for(world, stay))
    for name in ("user_id", "taste", "segment", "history_items", "last_slate", "last_events", "satisfaction"):
        np.testing.assert_array_equal(after[name][back], stay[name][back], err_msg=name)
    np.testing.assert_allclose(
        after["satiation"][back], stay["satiation"][back] * 0.5 ** (gap / 10.0)[:, None], rtol=1e-5, atol=1e-7
    )
    own = np.linalg.norm(after["interest"][back] - after["taste"][back], axis=1)
    assert own.max() < 0.6
    assert len(np.unique(own)) == len(own)


def test_satisfaction_may_be_forgotten():
    world = small_world(4, returns=RETURNS | {"satisfaction_kept": 0.25})
    kept = small_world(4, returns=RETURNS)
    _, forgetful, outcomes, _ = last_steps(world)
    _, faithful, _, _ = last_steps(kept)
    back = ~outcomes["terminated"] & ~outcomes["truncated"]
    expected = 0.5 + 0.25 * (faithful["satisfaction"] - 0.5)
    np.testing.assert_allclose(forgetful["satisfaction"][back], expected[back], rtol=1e-6)


def test_no_lifetime_is_one_session():
    world = small_world(4)
    _, after, outcomes, observation = last_steps(world)
    assert outcomes["terminated"].all()
    assert outcomes["visit_ended"].all()
    assert after["ended"].all()
    assert "hours_away" not in observation.visible(60)


def test_the_horizon_counts_the_decisions_of_all_visits(world):
    env = RecommenderVectorEnv(50, world=world, max_episode_steps=12, autoreset_mode="Disabled")
    env.reset(seed=1)
    lengths, over = np.zeros(50, int), np.zeros(50, bool)
    visits = np.zeros(50, int)
    for _ in range(12):
        mask = over.copy()
        if mask.any():
            env.reset(options={"reset_mask": mask})
        _, _, terminated, truncated, info = env.step(slates_for(world, env.state))
        lengths[~over] += 1
        visits[~over] = info["visit"][~over]
        assert not (terminated & truncated).any()
        over |= terminated | truncated
    assert over.all()
    assert (lengths == 12).any()
    assert visits[lengths == 12].max() > 0


def test_a_list_of_users_that_starts_again_serves_other_lifetimes(world):
    env = RecommenderVectorEnv(2, world=world, user_ids=[4, 9], max_episode_steps=1)
    env.reset(seed=0)
    slates = np.arange(8).reshape(2, 4)
    env.step(slates)
    _, _, _, _, info = env.step(slates)
    assert info["visit"].tolist() == [LIFETIME_VISITS, LIFETIME_VISITS]


def test_rollout_follows_users_to_the_end_of_their_lifetime(world):
    class First:
        name = "first"
        needs_state = False

        def act(self, observation, generator):
            from recsim_env import Decision

            assert observation["hours_away"].shape == observation["session_step"].shape
            batch = len(observation["segment"])
            return Decision(np.tile(np.arange(4), (batch, 1)), np.ones(batch))

    rows = list(
        rollout(
            world,
            First(),
            np.arange(60),
            seed=2,
            generator=np.random.default_rng(0),
            max_steps=80,
            batch_size=16,
        )
    )
    user, visit, step, ended, over = (
        np.concatenate([getattr(batch, name) for batch in rows])
        for name in ("user_id", "visit", "step", "visit_ended", "terminated")
    )
    over = over | np.concatenate([batch.truncated for batch in rows])
    order = np.lexsort((step, visit, user))
    user, visit, step, ended, over = (column[order] for column in (user, visit, step, ended, over))
    same_user = user[1:] == user[:-1]
    np.testing.assert_array_equal(visit[1:][same_user] - visit[:-1][same_user], ended[:-1][same_user])
    np.testing.assert_array_equal(step[1:][same_user], np.where(ended, 0, step + 1)[:-1][same_user])
    np.testing.assert_array_equal(~same_user, over[:-1])
    assert visit.max() >= 2


def test_the_single_environment_tells_of_visits():
    env = RecommenderEnv(world=small_world(4, returns=RETURNS), render_mode="ansi")
    observation, info = env.reset(seed=5)
    assert info["visit_ended"] is False
    assert observation["hours_away"].tolist() == [0]
    visits, texts = set(), []
    for _ in range(200):
        observation, _, terminated, truncated, info = env.step(np.arange(4))
        visits.add(info["visit"])
        texts.append(env.render())
        if terminated or truncated:
            break
        assert info["visit_ended"] == (observation["session_step"][0] == 0)
    assert len(visits) > 1
    assert any("the user is back after" in text for text in texts)
    twin = env.fork()
    assert twin.state["hour"] == env.state["hour"]


def test_lifetime_is_registered_with_its_extra_observation():
    env = gymnasium.make("recsim_env/Lifetime-v0")
    assert "hours_away" in env.observation_space.spaces
