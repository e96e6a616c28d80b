"""The simple policies that the planning oracle tries: greedy for reward, quality and rested topics."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.sampling import IntArray
from recsim_env import World
from recsim_env.truth import (
    ItemTruth,
    best_slates,
    candidate_truth,
    item_truth,
    pool_truth,
    slate_truth,
    top_items,
)

States = NDArray[Any]
Floats = NDArray[np.float32]

LEAST_CLICK_LOGIT = np.float32(-20.0)
"""An item that is clicked less often is priced as if it were clicked that often."""


class Outlook(NamedTuple):
    """What rollouts of B users need: pools [B, M] int64 of items to choose among, the unit u [B] float32.

    In two-stage worlds the pools are empty: each step has candidates of its own.
    """

    pools: IntArray
    unit: Floats

    def of(self, rows: Any) -> Outlook:
        """The outlook of some rows."""
        return Outlook(*(array[rows] for array in self))


class BasePolicies:
    """Policies of bonus b and price c that show the slate of highest worth, with the simulator's truth.

    A click on an item of quality q counts its expected reward r plus b u q, since quality decides how
    satisfied the user is; an item shown costs c u s, with s the satiation of its topic, since topics must
    recover. u, the highest expected reward of one step, makes b and c free of the reward's scale. b = c = 0
    is the myopic oracle. With slates of several items under the logit model the price is approximate: it
    enters as that of an item alone.

    Args:
        world: whose states they are given.
        family: [J, 2], b and c of each.
        pool_size: items per user among which `choose` chooses, those of at least four slates; those that
            stand out in their topics come on top.
        seed: key of imagined candidates in two-stage worlds.

    Source: ours.
    """

    def __init__(self, world: World, family: Floats, pool_size: int, seed: int) -> None:
        self.world, self.family, self.seed = world, family, seed
        self.pool_size = min(max(pool_size, 4 * world.config.slate_size), len(world.items))
        self.two_stage = world.config.candidates.num_candidates > 0
        self._quality = world.items["quality"].astype(np.float32)
        self._topic = world.items["topic"].astype(np.int64)
        self._by_topic = [np.flatnonzero(self._topic == topic) for topic in np.unique(self._topic)]
        self._priced = bool(family[:, 1].any())

    def candidates(self, states: States) -> IntArray | None:
        """Imagined candidates, [B, M] in [0, N]; None where all items may be shown."""
        if not self.two_stage:
            return None
        offers = self.world.offer(self.seed, states)
        return np.where(offers < 0, len(self._quality), offers)

    def truth(self, states: States, candidates: IntArray | None) -> ItemTruth:
        """The truth of what may be shown now: all items, or candidates."""
        if candidates is None:
            return item_truth(self.world, states)
        return candidate_truth(self.world, states, candidates)

    def items(self, candidates: IntArray | None, columns: IntArray) -> IntArray:
        """The items of columns [B, ...] of what `truth` gives."""
        if candidates is None:
            return columns
        known = np.minimum(candidates, len(self._quality) - 1)
        return np.take_along_axis(known, columns.reshape(len(columns), -1), axis=1).reshape(columns.shape)

    def first_slates(
        self, states: States, truth: ItemTruth, candidates: IntArray | None
    ) -> tuple[IntArray, Outlook]:
        """What each policy of the family shows now, [B, J, K] columns of ``truth``; and the outlook."""
        myopic = best_slates(self.world, truth)
        shown = self.items(candidates, myopic)
        unit = np.abs(slate_truth(self.world, states, shown).expected_reward).astype(np.float32)
        known = None if candidates is None else np.minimum(candidates, len(self._quality) - 1)
        chosen = [myopic]
        for weights in self.family[1:]:
            rows = np.broadcast_to(weights, (len(states), 2))
            chosen.append(best_slates(self.world, self._worth(states, truth, known, unit, rows)))
        return np.stack(chosen, axis=1), Outlook(self._pools(states, unit), unit)

    def _pools(self, states: States, unit: Floats) -> IntArray:
        """The items that stand highest with any policy when no topic is satiated, [B, M]."""
        if self.two_stage:
            return np.empty((len(states), 0), np.int64)
        fresh = states.copy()
        fresh["satiation"] = 0
        fresh_truth = item_truth(self.world, fresh)
        standing = np.full(fresh_truth.utility.shape, -np.inf, np.float32)
        for bonus in np.unique(self.family[:, 0]):
            rows = np.broadcast_to(np.array([bonus, 0], np.float32), (len(states), 2))
            worth = self._worth(fresh, fresh_truth, None, unit, rows).expected_reward
            standing = np.maximum(standing, worth - worth.max(axis=1, keepdims=True))
        pools = top_items(standing, self.pool_size)
        if self._priced:
            pools = np.concatenate([pools, self._best_of_topics(standing, pools)], axis=1)
        return np.sort(pools, axis=1)

    def _best_of_topics(self, standing: Floats, taken: IntArray) -> IntArray:
        """The best item of each of the topics that stand highest, of those not taken yet."""
        left = standing.copy()
        np.put_along_axis(left, taken, -np.inf, axis=1)
        best = np.stack([items[left[:, items].argmax(axis=1)] for items in self._by_topic], axis=1)
        score = np.take_along_axis(left, best, axis=1)
        count = min(self.pool_size, int(np.isfinite(score).sum(axis=1).min()))
        return np.take_along_axis(best, top_items(score, count), axis=1) if count else best[:, :0]

    def choose(self, states: States, outlook: Outlook, weights: Floats) -> IntArray:
        """Slates of policies ``weights`` [B, 2] that choose from pools, or from candidates: [B, K] items."""
        candidates = self.candidates(states)
        if candidates is None:
            known, truth = outlook.pools, pool_truth(self.world, states, outlook.pools)
        else:
            known = np.minimum(candidates, len(self._quality) - 1)
            truth = candidate_truth(self.world, states, candidates)
        columns = best_slates(self.world, self._worth(states, truth, known, outlook.unit, weights))
        return np.take_along_axis(known, columns, axis=1)

    def _worth(
        self, states: States, truth: ItemTruth, items: IntArray | None, unit: Floats, weights: Floats
    ) -> ItemTruth:
        """The truth with r + u (b q - c s / P(click)) as value of a click; items [B, M], or None for all."""
        quality = self._quality if items is None else self._quality[items]
        scale = weights * unit[:, None]
        value = truth.value_of_click + scale[:, :1] * quality
        if scale[:, 1].any():
            if items is None:
                satiation = states["satiation"][:, self._topic]
            else:
                satiation = np.take_along_axis(states["satiation"], self._topic[items], axis=1)
            shown_per_click = 1 + np.exp(-np.maximum(truth.utility, LEAST_CLICK_LOGIT))
            value -= scale[:, 1:] * satiation * shown_per_click
        return ItemTruth(truth.utility, value)
