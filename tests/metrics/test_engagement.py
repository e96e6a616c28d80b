import numpy as np
import pytest

from recsim_env.metrics import EngagementTally
from tests.metrics.impression_batches import Batch, random_batches


def hand_batch():
    """Users 7 (three steps) and 9 (one step), slates of two."""
    return Batch(
        user_id=np.array([7, 7, 7, 9]),
        step=np.array([0, 1, 2, 0]),
        action=np.zeros((4, 2), dtype=np.int64),
        events=np.array([[1, 0], [3, 7], [0, 0], [5, 0]], dtype=np.uint8),
        reward=np.array([0.2, 2.0, 0.0, 1.0]),
        revenue=np.array([0.0, 30.0, 0.0, 5.0]),
        terminated=np.array([False, False, True, False]),
        truncated=np.array([False, False, False, True]),
        visit_ended=np.array([False, False, True, False]),
        observation={},
    )


def test_hand_computed_means_per_user():
    tally = EngagementTally()
    tally.update(hand_batch())
    assert tally.result() == pytest.approx(
        {
            "reward_per_user": 1.6,
            "session_length": 2.0,
            "clicks_per_user": 2.0,
            "likes_per_user": 1.0,
            "purchases_per_user": 1.0,
            "revenue_per_user": 17.5,
            "reward_per_step": 0.8,
        }
    )
    np.testing.assert_allclose(tally.cumulative_reward(), [0.6, 1.6, 1.6])
    np.testing.assert_allclose(tally.survival(), [1.0, 0.5, 0.5])


def test_streamed_equals_the_definition_over_users():
    batches = list(random_batches(np.random.default_rng(1)))
    tally = EngagementTally()
    for batch in batches:
        tally.update(batch)
    user = np.concatenate([batch.user_id for batch in batches])
    step = np.concatenate([batch.step for batch in batches])
    reward = np.concatenate([batch.reward for batch in batches])
    per_user = np.bincount(user, reward)
    assert tally.num_users == len(per_user)
    assert tally.result()["reward_per_user"] == pytest.approx(per_user.mean())
    assert tally.result()["session_length"] == pytest.approx(np.bincount(user).mean())
    by_step = [np.bincount(user, reward * (step <= t)).mean() for t in range(step.max() + 1)]
    np.testing.assert_allclose(tally.cumulative_reward(), by_step)
    assert tally.cumulative_reward()[-1] == pytest.approx(tally.result()["reward_per_user"])


def test_merge_equals_one_pass_in_either_order():
    first, second, whole = EngagementTally(), EngagementTally(), EngagementTally()
    for generator, tally, length in (
        (np.random.default_rng(2), first, 4),
        (np.random.default_rng(3), second, 9),
    ):
        for batch in random_batches(generator, max_length=length):
            tally.update(batch)
            whole.update(batch)
    expected = pytest.approx(whole.result())
    reverse = EngagementTally().merge(second).merge(first)
    assert first.merge(second).result() == expected
    assert reverse.result() == expected
    np.testing.assert_allclose(first.cumulative_reward(), whole.cumulative_reward())


def test_returns_by_hand():
    """User 7 ends a visit and is back, ends another and churns; user 9 is cut in the first visit."""
    tally, batch = EngagementTally(), hand_batch()
    batch.observation = {"hours_away": np.zeros((4, 1))}
    batch.visit_ended = np.array([False, True, True, False])
    tally.update(batch)
    figures = tally.result()
    assert figures["return_rate"] == 0.5
    assert figures["churn_rate"] == 0.5
    assert figures["visits_per_user"] == 1.5


def test_no_finished_episode_is_an_error():
    tally = EngagementTally()
    batch = hand_batch()
    batch.terminated[:] = batch.truncated[:] = False
    tally.update(batch)
    for figure in (tally.result, tally.cumulative_reward, tally.survival):
        with pytest.raises(ValueError, match="expected a terminated or truncated row"):
            figure()
