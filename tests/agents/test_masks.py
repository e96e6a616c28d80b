"""Masks of what is on offer, as masked learners of Stable-Baselines3's kind ask for them."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported

from agents import SB3VecEnv
from agents.seeding import scoped_global_rng
from recsim_env import RecommenderVectorEnv
from tests.small_worlds import small_world

TWO_STAGE = {
    "slate_size": 1,
    "catalog": {"num_items": 60, "shelf_hours": 100.0},
    "run": {"run_hours": 100.0, "run_users": 50},
    "candidates": {"num_candidates": 20},
}
"""About half of the candidates are on offer."""


def test_masks_are_given_row_by_row():
    sections = {"catalog": {"shelf_hours": 100.0}, "run": TWO_STAGE["run"]}
    world = small_world(1, **sections, candidates={"num_candidates": 14})
    native = RecommenderVectorEnv(4, world=world, max_episode_steps=8, autoreset_mode=AutoresetMode.DISABLED)
    adapter = SB3VecEnv(RecordEpisodeStatistics(native))
    observation = adapter.reset()
    assert adapter.has_attr("action_masks")
    assert is_masking_supported(adapter)
    for _ in range(12):
        masks = adapter.env_method("action_masks")
        assert [mask.shape for mask in masks] == [(14,)] * 4
        np.testing.assert_array_equal(np.stack(masks), observation["candidates"] < 60)
        assert adapter.env_method("action_masks", indices=2)[0].tolist() == masks[2].tolist()
        observation = adapter.step(np.argmax(masks, axis=1))[0]


class Strict(gym.Wrapper):
    """Refuses what is not on offer."""

    def step(self, action):
        assert self.get_wrapper_attr("action_masks")()[action]
        return super().step(action)


class StrictVecEnv(SB3VecEnv):
    """Refuses what is not on offer."""

    def step_async(self, actions):
        masks = self.env_method("action_masks")
        assert all(mask[action] for mask, action in zip(masks, actions, strict=True))
        super().step_async(actions)


@pytest.mark.slow
@pytest.mark.parametrize("batched", [False, True], ids=["single", "batch"])
def test_maskable_ppo_learns_and_never_picks_what_is_not_on_offer(batched):
    if batched:
        scenario = {"scenario": "StorefrontSlate-v0", "max_episode_steps": 8}
        env = StrictVecEnv(
            RecommenderVectorEnv(4, autoreset_mode=AutoresetMode.DISABLED, **scenario, **TWO_STAGE)
        )
    else:
        env = Strict(gym.make("recsim_env/StorefrontSlate-v0", **TWO_STAGE))
    with scoped_global_rng(0):
        model = MaskablePPO("MultiInputPolicy", env, n_steps=64, batch_size=64, n_epochs=2, seed=0)
        before = {name: value.clone() for name, value in model.policy.state_dict().items()}
        model.learn(4 * 64 * (4 if batched else 1))
        after = model.policy.state_dict()
        assert model._n_updates == 4 * 2
        assert any(not torch.equal(before[name], after[name]) for name in before)
        played = SB3VecEnv(env.env) if batched else env
        observation = played.reset() if batched else played.reset()[0]
        for _ in range(20):
            masks = get_action_masks(played)
            action, _ = model.predict(observation, action_masks=masks)
            assert np.take_along_axis(np.atleast_2d(masks), np.reshape(action, (-1, 1)), axis=1).all()
            if batched:
                observation = played.step(action)[0]
            else:
                observation, _, terminated, truncated, _ = played.step(action)
                observation = played.reset()[0] if terminated or truncated else observation
