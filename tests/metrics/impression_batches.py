"""Synthetic batches of impressions for the metrics' tests."""

from dataclasses import dataclass, fields

import numpy as np

NUM_TOPICS, NUM_SEGMENTS = 4, 3


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
    expected_reward: np.ndarray | None = None
    best_reward: np.ndarray | None = None

    def rows(self, kept):
        """The batch without the rows that are not in a mask."""
        parts = {spec.name: getattr(self, spec.name) for spec in fields(self)}
        observation = {name: array[kept] for name, array in parts.pop("observation").items()}
        taken = {name: None if array is None else array[kept] for name, array in parts.items()}
        return Batch(observation=observation, **taken)


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


def full_batches(generator, num_items=30, **sizes):
    """As `random_batches`, with the observations and the truth that all metrics together read."""
    segment = generator.integers(0, NUM_SEGMENTS, 10_000)
    for batch in random_batches(generator, num_items=num_items, **sizes):
        size = len(batch.user_id)
        batch.observation = {
            "history_items": np.sort(generator.integers(0, num_items + 1, (size, 4)), axis=1)[:, ::-1],
            "segment": segment[batch.user_id],
            "hour": generator.integers(0, 24, (size, 1)),
            "hours_away": np.zeros((size, 1), np.int64),
        }
        batch.best_reward = generator.random(size) + 1
        batch.expected_reward = generator.random(size)
        yield batch
