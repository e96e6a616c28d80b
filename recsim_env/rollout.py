"""World x policy -> impressions: a generator, so that logging, metrics and progress stay outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim_env.actions import check_slates, shown_items
from recsim_env.policy import Observation, Policy
from recsim_env.records import Records
from recsim_env.streams import MAX_SEED, MAX_STEP, MAX_USER_ID, MAX_VISIT
from recsim_env.truth import myopic_reward, slate_truth
from recsim_env.world import World

DEFAULT_BATCH = 4_096


@dataclass(frozen=True)
class Impressions:
    """One decision for each of n users, and what came of it. A user's rows come in order, one per batch.

    Attributes:
        user_id: [n] int64; visit, step: [n] int32, the step that was decided, from 0.
        observation: what the policy saw, arrays [n, ...].
        action: [n, K] int64, the items shown; propensity: [n] float64.
        events: [n, K] uint8 event masks; price: [n, K] float32 of the shown items.
        reward, revenue: [n] float64; expected_reward, best_reward: [n] float64, of what was shown and of what
            the myopic oracle would have shown; NaN unless asked for.
        terminated: [n] bool, the user left; truncated: [n] bool, the horizon ran out and the user had not
            left.
        visit_ended: [n] bool, the user's patience was spent; where users return, the next visit has begun
            unless the episode is over.
    """

    user_id: NDArray[np.int64]
    visit: NDArray[np.int32]
    step: NDArray[np.int32]
    observation: Observation
    action: NDArray[np.int64]
    propensity: NDArray[np.float64]
    events: NDArray[np.uint8]
    price: NDArray[np.float32]
    reward: NDArray[np.float64]
    revenue: NDArray[np.float64]
    expected_reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    visit_ended: NDArray[np.bool_]
    best_reward: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.user_id)


def check_user_ids(user_ids: ArrayLike) -> NDArray[np.int64]:
    """User ids as a non-empty [n] int64 array within [0, MAX_USER_ID], or a clear error."""
    ids = np.atleast_1d(np.asarray(user_ids))
    if ids.ndim != 1 or len(ids) == 0 or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(
            f"user_ids: expected a non-empty 1-d array of integers, got shape {ids.shape} of {ids.dtype}"
        )
    outside = np.flatnonzero((ids < 0) | (ids > MAX_USER_ID))
    if len(outside):
        raise ValueError(
            f"user_ids[{outside[0]}]: expected an id in [0, {MAX_USER_ID}], got {ids[outside[0]]}"
        )
    return ids.astype(np.int64)


def check_whole(name: str, value: Any, low: int, high: int) -> int:
    """An integer within bounds, or a clear error."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or not low <= value <= high:
        raise ValueError(f"{name}: expected an integer in [{low}, {high}], got {value!r}")
    return int(value)


def check_user_id(user_id: Any) -> int:
    """One user id within [0, MAX_USER_ID], or a clear error."""
    return check_whole("user_id", user_id, 0, MAX_USER_ID)


def check_visit(visit: Any) -> int:
    """A visit number within [0, MAX_VISIT], or a clear error."""
    return check_whole("visit", visit, 0, MAX_VISIT)


def rollout(
    world: World,
    policy: Policy,
    user_ids: ArrayLike,
    *,
    seed: int,
    generator: np.random.Generator,
    max_steps: int,
    visit: int = 0,
    batch_size: int = DEFAULT_BATCH,
    with_truth: bool = False,
    with_oracle: bool = False,
) -> Iterator[Impressions]:
    """Serve every user for one episode, ``batch_size`` side by side; a finished one makes room for the next.

    A user meets the same luck whatever the policy, the order and the batch size; only the policy's own
    randomness comes from the generator and follows the order of the batch.

    Args:
        world: the simulator.
        policy: acts on batches; reads the hidden state only if it says ``needs_state = True``.
        user_ids: [n] integers.
        seed: key of the users' luck.
        generator: for the policy.
        max_steps: horizon; an episode cut there is truncated.
        visit: the visit of each user at which the episode begins.
        batch_size: users side by side.
        with_truth: whether to fill ``expected_reward``.
        with_oracle: whether to fill it and ``best_reward``, for regret; looks at all items on offer.

    Yields:
        one ``Impressions`` per step of the batch, holding the users that took it.
    """
    ids = check_user_ids(user_ids)
    seed, visit = check_whole("seed", seed, 0, MAX_SEED), check_visit(visit)
    max_steps = check_whole("max_steps", max_steps, 1, MAX_STEP)
    batch_size = check_whole("batch_size", batch_size, 1, MAX_USER_ID)
    count = min(batch_size, len(ids))
    states = world.empty_states(count)
    scratch = world.empty_scratch()
    needs_state = bool(getattr(policy, "needs_state", False))
    arrays = world.reset(
        seed, states, np.arange(count), ids[:count], np.full(count, visit, np.int64), scratch=scratch
    )
    waiting = count
    while len(states):
        observation: Observation = arrays.visible(len(world.items))
        extra: tuple[Records, ...] = (states,) if needs_state else ()
        decision = policy.act(observation, generator, *extra)
        actions = check_slates(world, decision.action, len(states), allow_repeats=False, scratch=scratch)
        slates = shown_items(world, actions, arrays)
        step = states["step"].copy()
        unknown = np.full(len(states), np.nan)
        known = with_truth or with_oracle
        expected = slate_truth(world, states, slates).expected_reward if known else unknown
        best = myopic_reward(world, states, observation.get("candidates")) if with_oracle else unknown
        outcomes, arrays = world.step(
            seed, states, slates, blank_repeats=False, max_steps=max_steps, scratch=scratch
        )
        impressions = Impressions(
            user_id=outcomes["user_id"].copy(),
            visit=outcomes["visit"].copy(),
            step=step,
            observation=observation,
            action=slates.copy(),
            propensity=np.array(decision.propensity, np.float64),
            events=states["last_events"].copy(),
            price=world.items["price"][slates],
            reward=outcomes["reward"].copy(),
            revenue=outcomes["revenue"].copy(),
            expected_reward=expected,
            terminated=outcomes["terminated"].copy(),
            truncated=outcomes["truncated"].copy(),
            visit_ended=outcomes["visit_ended"].copy(),
            best_reward=best,
        )
        yield impressions
        finished = np.flatnonzero(impressions.terminated | impressions.truncated)
        refilled = finished[: len(ids) - waiting]
        users = ids[waiting : waiting + len(refilled)]
        waiting += len(refilled)
        visits = np.full(len(refilled), visit, np.int64)
        world.reset(seed, states, refilled, users, visits, observation=arrays, scratch=scratch)
        if len(refilled) < len(finished):
            kept = np.ones(len(states), np.bool_)
            kept[finished[len(refilled) :]] = False
            states = states[kept]
            arrays = type(arrays)(*(array[kept] for array in arrays))
