import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recsim_env.metrics import SegmentTally, disparity, parity
from tests.metrics.impression_batches import NUM_SEGMENTS, full_batches
from tests.metrics.test_personal import batch, hand_log

EXPOSURE = arrays(np.float64, 12, elements=st.floats(0, 100)).filter(lambda x: x.sum() > 1)


def test_parity_by_hand():
    assert parity(np.array([2.0, 4.0, np.nan])) == 0.5
    assert parity(np.array([3.0])) == 1.0
    with pytest.raises(ValueError, match="at least one above 0"):
        parity(np.zeros(2))


def test_disparity_by_hand():
    group = np.array([0, 0, 1, 2])
    # Shares of exposure 1/2, 1/2, 0; of merit 1/4, 1/4, 1/2.
    assert disparity(np.array([1, 1, 2, 0]), np.array([1, 0, 1, 2]), group) == pytest.approx(0.5)
    assert disparity(np.array([2, 0, 1, 1]), np.ones(4), group) == pytest.approx(0.0)
    with pytest.raises(ValueError, match="at least one impression"):
        disparity(np.zeros(4), np.ones(4), group)


@given(EXPOSURE, EXPOSURE, arrays(np.int64, 12, elements=st.integers(0, 4)))
def test_disparity_is_a_share_and_symmetric(exposure, merit, group):
    value = disparity(exposure, merit, group)
    assert -1e-12 <= value <= 1 + 1e-12
    assert value == pytest.approx(disparity(merit, exposure, group))
    assert disparity(exposure, 3 * exposure, group) == pytest.approx(0, abs=1e-12)


def test_segments_by_hand():
    tally = SegmentTally(np.array([False, False, True, True]), 3)
    for part in hand_log():
        part.reward = np.where(part.user_id == 7, 2.0, 1.0)
        tally.update(part)
    groups = tally.by_segment()
    np.testing.assert_allclose(groups["reward_per_user"], [4.0, 1.0, np.nan])
    np.testing.assert_allclose(groups["session_length"], [2.0, 1.0, np.nan])
    np.testing.assert_allclose(groups["tail_share"], [3 / 4, 1.0, np.nan])
    assert tally.result() == pytest.approx(
        {"worst_segment_reward": 1.0, "segment_reward_parity": 0.25, "segment_tail_gap": 0.25}
    )


def test_segments_by_hand_when_only_the_first_position_is_examined():
    tally = SegmentTally(np.array([False, False, True, True]), 3, np.array([1.0, 0.0]))
    for part in hand_log():
        tally.update(part)
    np.testing.assert_allclose(tally.by_segment()["tail_share"], [1 / 2, 1.0, np.nan])


def test_negative_rewards_have_no_parity():
    tally = SegmentTally(np.zeros(4, bool), 2)
    part = batch([7, 9], 0, [[0, 0], [0, 0]], [[0], [1]], [[0], [0]], over=[7, 9])
    part.reward = np.array([-1.0, 2.0])
    tally.update(part)
    assert "segment_reward_parity" not in tally.result()
    with pytest.raises(ValueError, match="expected a terminated or truncated row"):
        SegmentTally(np.zeros(4, bool), 2).result()


def test_segments_add_up_to_everybody():
    tally = SegmentTally(np.arange(30) > 9, NUM_SEGMENTS)
    log = list(full_batches(np.random.default_rng(3)))
    for part in log:
        tally.update(part)
    assert tally.reward.sum() == pytest.approx(sum(part.reward.sum() for part in log))
    assert tally.users.sum() == 40
    assert tally.tail_exposure.sum() == sum((part.action > 9).sum() for part in log)
