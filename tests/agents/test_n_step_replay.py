"""Our n-step replay of Dict observations against Stable-Baselines3's of arrays, on the same transitions."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from stable_baselines3.common.buffers import NStepReplayBuffer

from agents import DQNConfig
from agents.online.n_step_replay import NStepDictReplayBuffer
from agents.seeding import scoped_global_rng

USERS, PLACES, GAMMA = 3, 40, 0.9
ARRAY = gym.spaces.Box(0, 1_000, (2,))


def filled(kind, space, observation_of, n_steps, steps, **kwargs):
    """A buffer of `PLACES` decisions of each user, after `steps` of them; sessions end at different times."""
    draw = np.random.default_rng(0)
    settings = {"n_envs": USERS, "n_steps": n_steps, "gamma": GAMMA, **kwargs}
    buffer = kind(USERS * PLACES, space, gym.spaces.Discrete(5), **settings)
    for step in range(steps):
        seen = np.stack([np.arange(USERS), np.full(USERS, step)], axis=1).astype(np.float32)
        done = draw.random(USERS) < 0.15
        infos = [{"TimeLimit.truncated": bool(end and draw.random() < 0.5)} for end in done]
        action, reward = draw.integers(5, size=USERS), draw.normal(size=USERS).astype(np.float32)
        buffer.add(observation_of(seen), observation_of(seen + 0.5), action, reward, done, infos)
    return buffer


@pytest.mark.parametrize("timeouts", [True, False], ids=["time limits bootstrap", "time limits end"])
@pytest.mark.parametrize("steps", [25, 40, 67], ids=["in part", "just full", "overwritten"])
@pytest.mark.parametrize("n_steps", [1, 3, 20])
def test_samples_are_those_of_arrays(n_steps, steps, timeouts):
    theirs = filled(
        NStepReplayBuffer, ARRAY, lambda seen: seen, n_steps, steps, handle_timeout_termination=timeouts
    )
    ours = filled(
        NStepDictReplayBuffer,
        gym.spaces.Dict({"place": ARRAY}),
        lambda seen: {"place": seen},
        n_steps,
        steps,
        handle_timeout_termination=timeouts,
        generator=np.random.default_rng(0),
    )
    places = np.tile(np.arange(min(steps, PLACES)), 10)
    with scoped_global_rng(1):
        expected = theirs._get_samples(places)
    with scoped_global_rng(1):
        users = np.random.randint(USERS, size=len(places))  # noqa: NPY002 - as theirs draws them
    found = ours.spans_from(places, users)
    for name in ("actions", "dones"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    for name in ("rewards", "discounts"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name))
    for name in ("observations", "next_observations"):
        assert torch.equal(getattr(found, name)["place"], getattr(expected, name)), name
    assert len(torch.unique(expected.discounts)) >= min(n_steps, 5)


@pytest.mark.parametrize(("steps", "held"), [(25, 25), (67, PLACES)], ids=["in part", "overwritten"])
def test_every_decision_held_is_sampled_as_often(steps, held):
    """Chi-square at 0.1% over (place, user); two buffers of one seed sample the same."""

    def observed():
        buffer = filled(
            NStepDictReplayBuffer,
            gym.spaces.Dict({"place": ARRAY}),
            lambda seen: {"place": seen},
            1,
            steps,
            generator=np.random.default_rng(3),
        )
        return buffer.sample(20_000).observations["place"]

    seen = observed()
    assert torch.equal(seen, observed())
    _, count = torch.unique(seen, dim=0, return_counts=True)
    assert len(count) == held * USERS
    assert chisquare(count.numpy()).pvalue > 0.001


def test_a_wrong_number_of_steps_is_named():
    with pytest.raises(ValueError, match="n_steps: expected a whole number of at least 1, got 0"):
        DQNConfig(n_steps=0)
