"""The known truth of a world: exact probabilities, expected rewards, and the slate of the highest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsim_env.config import ChoiceModel
from recsim_env.records import Records
from recsim_env.threads import split_rows
from recsim_env.world import World

MAX_ITERATIONS = 50
PARALLEL_FROM_ITEMS = 10_000  # user-item pairs; below, waking the threads costs more than it saves


class SlateTruth(NamedTuple):
    """Exact law of what a user answers to a slate.

    Attributes:
        click_prob: [B, K] float32, probability of a click at each position.
        like_prob, purchase_prob: [B, K] float32, given a click (the purchase with the like averaged out).
        expected_reward: [B] float64.
    """

    click_prob: NDArray[np.float32]
    like_prob: NDArray[np.float32]
    purchase_prob: NDArray[np.float32]
    expected_reward: NDArray[np.float64]


class ItemTruth(NamedTuple):
    """Every item's standing with every user.

    Attributes:
        utility: [B, N] float32, v; an item shown alone at the top is clicked with probability sigmoid(v).
            -inf for one that is not on offer.
        value_of_click: [B, N] float32, expected reward once clicked.
    """

    utility: NDArray[np.float32]
    value_of_click: NDArray[np.float32]

    @property
    def expected_reward(self) -> NDArray[np.float32]:
        """[B, N]: expected reward of showing each item alone, sigmoid(v) times the value of its click."""
        return self.value_of_click / (1 + np.exp(np.minimum(-self.utility, 80.0)))


def slate_truth(
    world: World, states: Records, slates: NDArray[np.int64], scratch: Records | None = None
) -> SlateTruth:
    """The exact law of the answers to ``slates`` [B, K] int64 in ``states`` [B] USER_STATE.

    ``scratch``: from ``World.empty_scratch``; fresh by default.
    """
    scratch = world.empty_scratch() if scratch is None else scratch
    slates = np.ascontiguousarray(slates)  # any other layout would be compiled for anew
    shape = slates.shape
    click, like, purchase = (np.empty(shape, np.float32) for _ in range(3))
    truth = SlateTruth(click, like, purchase, np.empty(len(states)))
    world.kernel.slate_truth_users(world.params, world.items, states, slates, scratch, truth)
    # A later call with the same scratch must not see this one's blank positions.
    scratch["examination"][:, : world.config.slate_size] = world.params["examination"]
    return truth


def item_truth(world: World, states: Records) -> ItemTruth:
    """Utility and value of a click of all N items for ``states`` [B] USER_STATE; 8 B N bytes."""
    shape = (len(states), len(world.items))
    truth = ItemTruth(np.empty(shape, np.float32), np.empty(shape, np.float32))
    split_rows(
        lambda _, start, stop: world.kernel.item_truth_users(
            world.params, world.items, states, truth, start, stop
        ),
        len(states),
        parallel=len(states) * len(world.items) >= PARALLEL_FROM_ITEMS,
        smallest=1,
    )
    return truth


def pool_truth(world: World, states: Records, pools: NDArray[np.int64]) -> ItemTruth:
    """As ``item_truth``, for the items ``pools`` [B, M] int64 in [0, N) of each user only: columns M."""
    truth = ItemTruth(np.empty(pools.shape, np.float32), np.empty(pools.shape, np.float32))
    split_rows(
        lambda _, start, stop: world.kernel.pool_truth_users(
            world.params, world.items, states, pools, truth, start, stop
        ),
        len(states),
        parallel=pools.size >= PARALLEL_FROM_ITEMS,
        smallest=1,
    )
    return truth


def candidate_truth(world: World, states: Records, candidates: NDArray[np.int64]) -> ItemTruth:
    """As ``pool_truth``, for candidates [B, M] as an observation has them: N is never clicked."""
    num_items = len(world.items)
    truth = pool_truth(world, states, np.minimum(candidates, num_items - 1))
    return truth._replace(utility=np.where(candidates < num_items, truth.utility, -np.inf))


def advance(world: World, states: Records, slates: NDArray[np.int64], events: NDArray[np.uint8]) -> Records:
    """The states after one step in which users answered ``slates`` with ``events``.

    Nothing is drawn: interest goes without its noise, so where ``drift_scale`` is 0 this is the transition
    itself, given the answers.

    Args:
        states: [B] USER_STATE, left as they are.
        slates: [B, K] int64, no item twice.
        events: [B, K] uint8 event masks (``Event``).

    Returns:
        [B] USER_STATE.
    """
    after = states.copy()
    world.kernel.advance_users(world.params, world.items, after, slates, events, world.empty_scratch())
    return after


def myopic_slates(world: World, states: Records, batch_size: int = 256) -> NDArray[np.int64]:
    """The items of highest expected immediate reward for each user, [B, K] int64, of all that are on offer.

    Exact for slates of one, for the logit model (by Dinkelbach's iteration) and for the position model (by
    sorting); greedy, one position after the other, for the cascade model. Memory: some ``batch_size`` * N
    floats.
    """
    parts = [
        _myopic_block(world, states[start : start + batch_size])
        for start in range(0, len(states), batch_size)
    ]
    return np.concatenate(parts)


def _myopic_block(world: World, states: Records) -> NDArray[np.int64]:
    return best_slates(world, item_truth(world, states))


def myopic_reward(
    world: World, states: Records, candidates: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """[B] float64: the expected reward of the best slate of each user, in the state in which the user is.

    Args:
        states: [B] USER_STATE.
        candidates: [B, M] as an observation has them, in two-stage worlds; else all items on offer compete.

    The slate is that of ``myopic_slates``: exact or greedy as there.
    """
    if candidates is None:
        slates = myopic_slates(world, states)
    else:
        columns = best_slates(world, candidate_truth(world, states, candidates))
        slates = np.take_along_axis(np.minimum(candidates, len(world.items) - 1), columns, axis=1)
    return slate_truth(world, states, slates).expected_reward


def best_slates(world: World, truth: ItemTruth) -> NDArray[np.int64]:
    """The slate of highest expected reward among the columns of ``truth``: [B, K] int64 column numbers.

    Exact or greedy as ``myopic_slates``; with another ``value_of_click`` it maximises what that one counts.

    Args:
        world: its slate size, choice model and examination count.
        truth: [B, M], M >= K: all items, so that columns are items, or pools.
    """
    slate = world.config.slate_size
    if slate == 1:
        return np.argmax(truth.expected_reward, axis=1)[:, None]
    model = ChoiceModel[world.config.choice.model.upper()]
    if model is ChoiceModel.POSITION:
        return top_items(truth.expected_reward, slate)
    examination = world.params["examination"][0].astype(np.float64)
    if model is ChoiceModel.LOGIT:
        return best_logit_slates(truth.utility, truth.value_of_click, examination)
    return greedy_cascade_slates(truth, examination)


def top_items(score: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """The ``count`` highest-scoring columns of each row, best first: [B, count] int64."""
    if count >= score.shape[1]:
        return np.argsort(-score, axis=1, kind="stable")[:, :count]
    top = np.argpartition(-score, count, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(score, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)


def best_logit_slates(
    utility: NDArray[np.float32], value: NDArray[np.float32], examination: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Argmax over slates of sum_k e_k w_k r_k / (1 + sum_k e_k w_k), w = exp(v): exact.

    For a trial value lambda the best slate of sum_k e_k w_k (r_k - lambda) sorts by w (r - lambda), since e
    falls with k; its ratio is the next lambda, until it no longer rises.

    Args:
        utility, value: [B, N] float32, v and r.
        examination: [K] float64, not increasing.

    Source: Dinkelbach (1967), On nonlinear fractional programming; ours: the position weights.
    """
    weight = np.exp(np.minimum(utility, 80.0).astype(np.float64))
    best = np.full(len(utility), -np.inf)
    slates = top_items(weight * value, len(examination))
    for _ in range(MAX_ITERATIONS):
        shown_weight = np.take_along_axis(weight, slates, axis=1) * examination
        shown_value = np.take_along_axis(value, slates, axis=1)
        ratio = (shown_weight * shown_value).sum(axis=1) / (1 + shown_weight.sum(axis=1))
        if not (ratio - best > 1e-12 * np.abs(ratio)).any():
            break
        best = np.maximum(best, ratio)
        slates = top_items(weight * (value - best[:, None]), len(examination))
    return slates


def greedy_cascade_slates(truth: ItemTruth, examination: NDArray[np.float64]) -> NDArray[np.int64]:
    """The K items of highest expected reward, in the order of the value of their click.

    Both choose and order would be exact with full examination and as many positions as items; otherwise this
    is a heuristic.
    """
    slates = top_items(truth.expected_reward, len(examination))
    order = np.argsort(-np.take_along_axis(truth.value_of_click, slates, axis=1), axis=1, kind="stable")
    return np.take_along_axis(slates, order, axis=1)
