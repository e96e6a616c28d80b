"""Synthetic batches of impressions for the metrics' tests."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Batch:
    """The fields of `recsim_env.rollout.Impressions` that metrics read."""

    user_id: np.ndarray
    step: np.ndarray
    action: np.ndarray
    events: np.ndarray
    reward: np.ndarray
    revenue: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    visit_ended: np.ndarray
    observation: dict


def random_batches(generator, num_users=40, num_items=30, num_slots=3, max_length=9):
    """One batch per step; every user's episode has a random length and ends by either flag."""
    length = generator.integers(1, max_length + 1, num_users)
    truncates = generator.random(num_users) < 0.3
    for step in range(max_length):
        user = np.flatnonzero(length > step)
        if len(user):
            last = length[user] == step + 1
            yield Batch(
                user_id=user,
                step=np.full(len(user), step),
                action=generator.integers(0, num_items, (len(user), num_slots)),
                events=generator.integers(0, 8, (len(user), num_slots)).astype(np.uint8),
                reward=generator.random(len(user)),
                revenue=generator.random(len(user)) * 10,
                terminated=last & ~truncates[user],
                truncated=last & truncates[user],
                visit_ended=last & ~truncates[user],
                observation={},
            )
