"""Assignment: a function of (seed, user), as probable as stated, that moves few users."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from recsim_env.deployment import assign, control_slice, user_uniforms
from recsim_env.deployment.assignment import mix

USERS = np.arange(40_000)


def shares(*row):
    return np.tile(np.array(row, float), (len(USERS), 1))


def test_mixing_is_that_of_splitmix64():
    # The first outputs of SplitMix64 from seed 1234567, as published with its reference implementation.
    state = np.array([(1234567 + k * 0x9E3779B97F4A7C15) % 2**64 for k in range(1, 4)], np.uint64)
    assert mix(state).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_uniforms_are_uniform_and_lanes_are_independent():
    one, other = user_uniforms(3, USERS, 0), user_uniforms(3, USERS, 1)
    assert stats.kstest(one, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.02
    assert abs(np.corrcoef(one[:-1], one[1:])[0, 1]) < 0.02
    assert abs(np.corrcoef(one, user_uniforms(4, USERS, 0))[0, 1]) < 0.02
    assert ((one > 0) & (one < 1)).all()


def test_a_users_arm_does_not_depend_on_who_else_comes_or_when():
    given = shares(0.5, 0.3, 0.2)
    whole = assign(7, USERS, given, 0.1)
    order = np.random.default_rng(0).permutation(len(USERS))[:500]
    assert (assign(7, USERS[order], given[:500], 0.1) == whole[order]).all()
    assert (assign(8, USERS, given, 0.1) != whole).any()


@pytest.mark.parametrize("control_share", [0.0, 0.1])
def test_arms_are_as_frequent_as_their_shares(control_share):
    given = np.array([0.45, 0.35, 0.15, 0.05])
    count = np.bincount(assign(5, USERS, shares(*given), control_share), minlength=4)
    assert stats.chisquare(count, given * len(USERS)).pvalue > 1e-4


def test_only_users_of_arms_that_lost_share_move():
    before = assign(5, USERS, shares(0.5, 0.3, 0.2), 0.1)
    after = assign(5, USERS, shares(0.5, 0.2, 0.3), 0.1)
    moved = before != after
    moves = set(zip(before[moved].tolist(), after[moved].tolist(), strict=True))
    assert moves == {(1, 0), (1, 2), (0, 2)}  # never to arm 1, never from arm 2
    assert 0.1 <= moved.mean() < 0.15  # a tenth of all users has to move


def test_an_arm_that_is_added_takes_users_and_moves_no_others():
    before = assign(5, USERS, shares(0.6, 0.4), 0.1)
    after = assign(5, USERS, shares(0.1 + 0.5 * 0.75, 0.4 * 0.75, 1 - 0.1 - 0.9 * 0.75), 0.1)
    assert set(after[before != after].tolist()) == {2}


def test_the_control_slice_is_permanent():
    inside = control_slice(5, USERS, 0.1)
    assert inside.mean() == pytest.approx(0.1, abs=0.006)
    for given in (shares(0.1, 0.9, 0.0), shares(0.2, 0.0, 0.8)):
        assert (assign(5, USERS, given, 0.1)[inside] == 0).all()
    assert (assign(5, USERS, shares(0.1, 0.9), 0.1)[~inside] == 1).all()


def test_an_epoch_draws_everyone_anew():
    given = shares(0.5, 0.5)
    assert (assign(5, USERS, given, 0.0, epoch=1) == assign(5, USERS, given, 0.0, epoch=2)).mean() == (
        pytest.approx(0.5, abs=0.02)
    )


def test_seeds_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"seed: expected an integer in \[0, 2\^64\), got -1"):
        user_uniforms(-1, USERS, 0)
