"""A world and a policy make impressions: every user once, in whatever batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim_env import Decision, rollout
from recsim_env.truth import slate_truth
from tests.small_worlds import NUM_ITEMS, fresh_states, small_world


class Scripted:
    """Shows what follows from segment, step and history alone, so that a user sees the same in any batch."""

    name = "scripted"

    def __init__(self, slate_size):
        self.slate_size = slate_size

    def act(self, observation, generator):
        first = (
            observation["segment"] * 7
            + observation["session_step"][:, 0] * 3
            + observation["last_slate"][:, 0]
        )
        slates = (first[:, None] + np.arange(self.slate_size)) % NUM_ITEMS
        return Decision(slates[:, 0] if self.slate_size == 1 else slates, np.full(len(first), 0.25))


class Peeking(Scripted):
    needs_state = True

    def act(self, observation, generator, state):
        assert len(state) == len(observation["segment"])
        np.testing.assert_array_equal(state["segment"], observation["segment"])
        np.testing.assert_array_equal(state["step"], observation["session_step"][:, 0])
        return super().act(observation, generator)


COLUMNS = (
    "user_id",
    "step",
    "action",
    "propensity",
    "events",
    "price",
    "reward",
    "revenue",
    "terminated",
    "truncated",
)


def rows_of(world, users, generator, policy=None, **options):
    """All impressions as columns, ordered by user and step."""
    policy = policy or Scripted(world.config.slate_size)
    options = {"seed": 3, "max_steps": 6, **options}
    batches = list(rollout(world, policy, users, generator=generator, **options))
    columns = {name: np.concatenate([getattr(batch, name) for batch in batches]) for name in COLUMNS}
    for key in batches[0].observation:
        columns[key] = np.concatenate([batch.observation[key] for batch in batches])
    order = np.lexsort((columns["step"], columns["user_id"]))
    return {name: column[order] for name, column in columns.items()}, batches


@pytest.mark.parametrize("slate_size", [1, 4])
def test_every_user_once_from_the_start_to_one_end(generator, slate_size):
    users = np.array([4, 900, 2**41, 17, 3, 8, 1, 0, 55, 6])
    rows, _ = rows_of(small_world(slate_size), users, generator, batch_size=4)
    served, starts, lengths = np.unique(rows["user_id"], return_index=True, return_counts=True)
    assert served.tolist() == sorted(users.tolist())
    ends = rows["terminated"] | rows["truncated"]
    for start, length in zip(starts, lengths, strict=True):
        np.testing.assert_array_equal(rows["step"][start : start + length], np.arange(length))
        assert ends[start : start + length].tolist() == [False] * (length - 1) + [True]
    np.testing.assert_array_equal(rows["session_step"][:, 0], rows["step"])
    assert not (rows["terminated"] & rows["truncated"]).any()
    np.testing.assert_array_equal(rows["truncated"], (rows["step"] == 5) & ~rows["terminated"])
    assert rows["action"].shape[1] == slate_size


@settings(max_examples=10)
@given(st.integers(1, 40), st.permutations(range(12)))
def test_the_batch_and_the_order_change_nothing(batch_size, order):
    world = small_world(4)
    reference, _ = rows_of(world, np.arange(12), np.random.default_rng(0), batch_size=12)
    rows, _ = rows_of(world, np.array(order), np.random.default_rng(1), batch_size=batch_size)
    for name, column in reference.items():
        np.testing.assert_array_equal(rows[name], column, err_msg=name)


def test_what_is_yielded_never_changes_afterwards(generator):
    world = small_world(4)
    kept, copies = [], []
    for batch in rollout(
        world, Scripted(4), np.arange(30), seed=0, generator=generator, max_steps=8, batch_size=7
    ):
        kept.append(batch)
        copies.append(
            {name: getattr(batch, name).copy() for name in COLUMNS}
            | {key: array.copy() for key, array in batch.observation.items()}
        )
    for batch, copied in zip(kept, copies, strict=True):
        for name in COLUMNS:
            np.testing.assert_array_equal(getattr(batch, name), copied[name])
        for key, array in batch.observation.items():
            np.testing.assert_array_equal(array, copied[key])


def test_columns_belong_together(generator):
    world = small_world(4, reward={"click": 1.0, "like": 10.0, "purchase": 100.0})
    rows, _ = rows_of(world, np.arange(200), generator, with_truth=True)
    np.testing.assert_array_equal(rows["price"], world.items["price"][rows["action"]])
    counts = [((rows["events"] & bit) > 0).sum(axis=1) for bit in (1, 2, 4)]
    np.testing.assert_array_equal(rows["reward"], counts[0] + 10 * counts[1] + 100 * counts[2])
    bought = (rows["events"] & 4) > 0
    np.testing.assert_allclose(rows["revenue"], (bought * rows["price"].astype(float)).sum(axis=1))
    later = rows["step"] > 0
    np.testing.assert_array_equal(rows["last_slate"][later], rows["action"][np.flatnonzero(later) - 1])
    np.testing.assert_array_equal(rows["last_events"][later], rows["events"][np.flatnonzero(later) - 1])
    assert (rows["last_slate"][~later] == NUM_ITEMS).all()


def test_expected_reward_is_the_truth_before_the_step_or_nan(generator):
    world = small_world(4)
    batches = rollout(
        world, Scripted(4), np.arange(9), seed=3, generator=generator, max_steps=2, with_truth=True
    )
    first = next(iter(batches))
    states, _ = fresh_states(world, np.arange(9), seed=3)
    np.testing.assert_array_equal(
        first.expected_reward, slate_truth(world, states, first.action).expected_reward
    )
    _, batches = rows_of(world, np.arange(9), generator)
    assert all(np.isnan(batch.expected_reward).all() for batch in batches)


def test_a_policy_that_asks_for_the_state_gets_it(generator):
    world = small_world(4)
    peeked, _ = rows_of(world, np.arange(20), generator, Peeking(4), batch_size=6)
    blind, _ = rows_of(world, np.arange(20), generator, batch_size=6)
    np.testing.assert_array_equal(peeked["reward"], blind["reward"])


def test_visits_are_different_luck_of_the_same_users(generator):
    world = small_world(4)
    first, batches = rows_of(world, np.arange(30), generator)
    second, later = rows_of(world, np.arange(30), generator, visit=2)
    assert {*np.concatenate([batch.visit for batch in batches])} == {0}
    assert {*np.concatenate([batch.visit for batch in later])} == {2}
    starts = [rows["segment"][rows["step"] == 0] for rows in (first, second)]
    np.testing.assert_array_equal(*starts)
    assert len(first["reward"]) != len(second["reward"]) or (first["reward"] != second["reward"]).any()


class Reusing(Scripted):
    """Writes every decision into the same two arrays."""

    def act(self, observation, generator):
        decision = super().act(observation, generator)
        count = len(decision.propensity)
        if not hasattr(self, "buffers"):
            self.buffers = np.zeros((count, self.slate_size), int), np.zeros(count)
        slates, propensity = self.buffers[0][:count], self.buffers[1][:count]
        slates[:], propensity[:] = decision.action, observation["session_step"][:, 0] + 0.5
        return Decision(slates, propensity)


def test_a_policy_may_reuse_its_arrays(generator):
    world = small_world(4)
    fresh, _ = rows_of(world, np.arange(12), generator)
    reused, _ = rows_of(world, np.arange(12), generator, Reusing(4))
    np.testing.assert_array_equal(reused["action"], fresh["action"])
    np.testing.assert_array_equal(reused["propensity"], reused["step"] + 0.5)


class Fixed:
    name = "fixed"

    def __init__(self, action):
        self.action = action

    def act(self, observation, generator):
        return Decision(self.action, np.ones(len(self.action)))


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.array([[0, 1, 2, 60], [0, 1, 2, 3]]), r"action\[0, 3\]: expected an item in \[0, 60\), got 60"),
        (np.array([[0, 1, 2, 3], [0, 1, 2, 0]]), r"action\[1, 3\]: item 0 is already on this slate"),
        (np.zeros((2, 3), int), r"action: expected shape \(2, 4\) .* got \(2, 3\)"),
        (np.zeros((2, 4)), r"action: expected integers, got an array of float64"),
    ],
)
def test_a_policy_that_acts_wrongly_is_told_where(generator, action, message):
    with pytest.raises(ValueError, match=message):
        next(iter(rollout(small_world(4), Fixed(action), [0, 1], seed=0, generator=generator, max_steps=5)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"user_ids": []}, r"user_ids: expected a non-empty"),
        ({"user_ids": [1.5]}, r"user_ids: expected .* integers, got .* float64"),
        ({"user_ids": [3, -1]}, r"user_ids\[1\]: expected an id in \[0, \d+\], got -1"),
        ({"user_ids": [2**44]}, r"user_ids\[0\]: expected an id in"),
        ({"batch_size": 0}, r"batch_size: expected an integer in \[1, .*, got 0"),
        ({"max_steps": 0}, r"max_steps: expected an integer in \[1, .*, got 0"),
        ({"visit": -1}, r"visit: expected an integer in \[0, 1048575\], got -1"),
        (
            {"seed": 2**64},
            r"seed: expected an integer in \[0, 18446744073709551615\], got 18446744073709551616",
        ),
        ({"seed": -1}, r"seed: expected an integer in .* got -1"),
    ],
)
def test_bad_arguments_are_named(generator, options, message):
    arguments = {"user_ids": [0, 1], "seed": 0, "max_steps": 5, **options}
    with pytest.raises(ValueError, match=message):
        next(iter(rollout(small_world(4), Scripted(4), generator=generator, **arguments)))
