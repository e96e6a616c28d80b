"""Policies that learn nothing: the controls that every comparison needs beside the learners."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from agents.choices import Choices, Dates, best_action, choices_in, saved_dates
from agents.sampling import FloatArray, IntArray, as_action, offered_log_conditional
from agents.spec import Observation, check_sizes
from agents.storage import load_agent, save_agent
from recsim_env import Decision, World, WorldConfig
from recsim_env.truth import best_slates, candidate_truth, myopic_slates

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog


class RandomPolicy:
    """Every ordered slate of K distinct items on offer with the same probability, (m - K)! / m!.

    m counts the items, or candidates, on offer: N in plain worlds.

    Args:
        num_items: N.
        slate_size: K <= N.
        catalog: public catalog, which says when items are on offer; without it all of them are, always.
    """

    name: str = "random"
    needs_state: ClassVar[bool] = False

    def __init__(self, num_items: int, slate_size: int = 1, catalog: PublicCatalog | None = None) -> None:
        if catalog is not None and len(catalog.topic) != num_items:
            raise ValueError(f"catalog: expected {num_items} items, got {len(catalog.topic)}")
        self._set(num_items, slate_size, Dates.of(catalog))

    def _set(self, num_items: int, slate_size: int, dates: Dates | None) -> None:
        if not 1 <= slate_size <= num_items:
            raise ValueError(f"slate_size: expected in [1, {num_items}], got {slate_size}")
        self.num_items = num_items
        self.slate_size = slate_size
        self.dates = dates

    def act(self, observation: Observation, generator: np.random.Generator) -> Decision:
        """Draw a slate per row; see the class."""
        check_sizes(observation, self.num_items, self.slate_size)
        choices = choices_in(observation, self.num_items, self.dates, self.slate_size)
        if choices is not None:
            slate, propensity = choices.draw(self.slate_size, generator)
            return Decision(choices.action(slate), propensity)
        batch = len(observation["segment"])
        slate = distinct_draws(
            lambda shape: generator.integers(self.num_items, size=shape), batch, self.slate_size
        )
        log_propensity = -np.log(np.arange(self.num_items, self.num_items - self.slate_size, -1)).sum()
        return Decision(as_action(slate), np.full(batch, np.exp(log_propensity)))

    def item_prob(self, observation: Observation) -> FloatArray:
        """[B, n] float64: 1/m of every choice on offer at position 0, in plain worlds 1/N of every item."""
        choices = choices_in(observation, self.num_items, self.dates, self.slate_size)
        if choices is None:
            return np.full((len(observation["segment"]), self.num_items), 1 / self.num_items)
        return choices.available[choices.row] / np.maximum(choices.count, 1)[:, None]

    def item_propensity(self, observation: Observation, slate: IntArray) -> FloatArray:
        """[B, K] float64: probability of each choice of these slates given those above it."""
        with np.errstate(divide="ignore"):
            return np.exp(offered_log_conditional(slate, np.log(self.item_prob(observation))))

    def save(self, folder: str | Path) -> None:
        """Write the policy to a folder."""
        card = {"num_items": self.num_items, "slate_size": self.slate_size}
        save_agent(folder, "RandomPolicy", card, saved_dates(self.dates))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a policy that `save` wrote."""
        card, arrays = load_agent(folder, "RandomPolicy")
        policy = cls.__new__(cls)
        policy._set(card["num_items"], card["slate_size"], Dates.from_arrays(arrays))
        return policy


class Popular:
    """The public popularity ranking, K items further down with every step, visible history skipped.

    Step t shows positions t K .. t K + K - 1 of the ranking without the items in the visible history and
    those not on offer, so no item comes twice in a session unless the ranking is used up (it then starts
    again) or a click has left the visible history. Where so few items are on offer that fewer than K are
    left, it is the K most popular ones on offer, seen or not, and behind them what is not on offer. In
    two-stage worlds it is the K most popular candidates.

    Args:
        catalog: public catalog; ties in popularity go to the smaller id.
        slate_size: K.
    """

    name: ClassVar[str] = "popular"
    needs_state: ClassVar[bool] = False

    def __init__(self, catalog: PublicCatalog, slate_size: int = 1) -> None:
        ranking = np.argsort(-catalog.base_popularity, kind="stable").astype(np.int64)
        self._set(ranking, slate_size, Dates.of(catalog))

    def _set(self, ranking: IntArray, slate_size: int, dates: Dates | None) -> None:
        if not 1 <= slate_size <= len(ranking):
            raise ValueError(f"slate_size: expected in [1, {len(ranking)}], got {slate_size}")
        self.ranking = ranking
        self.slate_size = slate_size
        self.dates = dates
        self.place = _places(ranking[None], len(ranking))

    def act(self, observation: Observation, generator: np.random.Generator) -> Decision:
        """Deterministic; see the class."""
        history = observation["history_items"]
        num_items = len(self.ranking)
        check_sizes(observation, num_items, self.slate_size)
        choices = choices_in(observation, num_items, self.dates, self.slate_size)
        if choices is not None and choices.numbered:
            score = -self.place[0, choices.items].astype(float)
            return Decision(best_action(score, choices, self.slate_size), np.ones(len(score)))
        if choices is None:
            row, count = np.zeros(len(history), np.int64), np.full(len(history), num_items)
            slate = self._below_history(observation, self.ranking[None], self.place, row, count)
        else:
            ranking = self._ranked(choices)
            place = _places(ranking, num_items)
            slate = self._below_history(observation, ranking, place, choices.row, choices.count)
        return Decision(as_action(slate), np.ones(len(slate)))

    def _ranked(self, choices: Choices) -> IntArray:
        """[R, n] items of the choices, the most popular first, what is not on offer last."""
        key = self.place[0, choices.items] + len(self.ranking) * ~choices.available
        return np.take_along_axis(choices.items, np.argsort(key, axis=1), axis=1)

    def _below_history(
        self, observation: Observation, ranking: IntArray, place: IntArray, row: IntArray, count: IntArray
    ) -> IntArray:
        """[B, K] items of this step, user i's from the first count[i] of ranking[row[i]].

        Args:
            ranking: [R, n] items; place: [R, N + 1], their places in it, n for others; row, count: [B].
        """
        length = ranking.shape[1]
        skipped = np.sort(place[row[:, None], observation["history_items"]], axis=1)
        # Items shown twice in the history would be skipped twice: move the repeats behind the end.
        skipped[:, 1:][skipped[:, 1:] == skipped[:, :-1]] = length
        skipped.sort(axis=1)
        free = (count - (skipped < count[:, None]).sum(axis=1))[:, None]
        step = np.asarray(observation["session_step"]).reshape(-1, 1)
        short = free < self.slate_size
        if short.any():
            if self.dates is None:
                raise ValueError(
                    f"slate_size: {self.slate_size} items, but only {int(free.min())} are outside the history"
                )
            skipped[short[:, 0]] = length
            free, step = np.where(short, length, free), np.where(short, 0, step)
        position = (step * self.slate_size + np.arange(self.slate_size)) % free
        for column in skipped.T:
            position += column[:, None] <= position
        return ranking[row[:, None], position]

    def save(self, folder: str | Path) -> None:
        """Write the policy to a folder."""
        arrays = {"ranking": torch.from_numpy(self.ranking), **saved_dates(self.dates)}
        save_agent(folder, "Popular", {"slate_size": self.slate_size}, arrays)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a policy that `save` wrote."""
        card, arrays = load_agent(folder, "Popular")
        policy = cls.__new__(cls)
        policy._set(arrays["ranking"].numpy(), card["slate_size"], Dates.from_arrays(arrays))
        return policy


def _places(ranking: IntArray, num_items: int) -> IntArray:
    """[R, N + 1]: the place of each item in rankings [R, n], n for others and for padding."""
    length = ranking.shape[1]
    place = np.full((len(ranking), num_items + 1), length)
    np.put_along_axis(place, ranking, np.arange(length)[None], axis=1)
    return place


class MyopicOracle:
    """Maximises the expected immediate reward of the slate, reading the simulator's hidden state.

    Exact for single items, and for slates under the logit and position models; see
    `recsim_env.truth.myopic_slates`.

    Args:
        world: the world whose states it will be given.
    """

    name: ClassVar[str] = "myopic"
    needs_state: ClassVar[bool] = True

    def __init__(self, world: World) -> None:
        self.world = world

    def act(self, observation: Observation, generator: np.random.Generator, state: NDArray[Any]) -> Decision:
        """Deterministic; `state` is the [B] USER_STATE array of the same users as the observation."""
        check_sizes(observation, self.world.config.catalog.num_items, self.world.config.slate_size)
        if "candidates" in observation:
            slate = best_slates(self.world, candidate_truth(self.world, state, observation["candidates"]))
        else:
            slate = myopic_slates(self.world, state)
        return Decision(as_action(slate), np.ones(len(slate)))

    def save(self, folder: str | Path) -> None:
        """Write the world's config to a folder."""
        save_agent(folder, "MyopicOracle", {"config": self.world.config.to_json()}, {})

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read an oracle that `save` wrote; its world is built anew from the config."""
        card, _ = load_agent(folder, "MyopicOracle")
        return cls(World(WorldConfig.from_json(card["config"])))


def distinct_draws(draw: Any, batch: int, num_slots: int) -> IntArray:
    """Slates of the first K distinct values of an endless row of independent draws.

    Drawing again whatever came before is drawing from the rest in proportion: the ordered slate follows the
    Plackett-Luce distribution of the item distribution that `draw` samples.

    Args:
        draw: shape -> int64 array of independent draws, the same distribution along each row; called with
            [b] or [b, K].
        batch: B.
        num_slots: K.

    Returns:
        [B, K] int64, distinct per row.
    """
    slate: IntArray = np.asarray(draw((batch, num_slots)), dtype=np.int64)
    for slot in range(1, num_slots):
        while True:
            repeated = (slate[:, :slot] == slate[:, slot : slot + 1]).any(axis=1)
            if not repeated.any():
                break
            again = np.asarray(draw((batch,)), dtype=np.int64)
            slate[:, slot] = np.where(repeated, again, slate[:, slot])
    return slate
