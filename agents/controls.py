"""Policies that learn nothing: the controls that every comparison needs beside the learners."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from agents.sampling import FloatArray, IntArray, as_action
from agents.spec import Observation
from agents.storage import load_agent, save_agent
from recsim_env import Decision, World, WorldConfig
from recsim_env.truth import best_slates, candidate_truth, myopic_slates

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog


class RandomPolicy:
    """Every ordered slate of K distinct items with the same probability, (N - K)! / N!.

    Args:
        num_items: N.
        slate_size: K <= N.
    """

    name: str = "random"
    needs_state: ClassVar[bool] = False

    def __init__(self, num_items: int, slate_size: int = 1) -> None:
        if not 1 <= slate_size <= num_items:
            raise ValueError(f"slate_size: expected in [1, {num_items}], got {slate_size}")
        self.num_items = num_items
        self.slate_size = slate_size

    def act(self, observation: Observation, generator: np.random.Generator) -> Decision:
        """Draw a slate per row; see the class."""
        batch = len(observation["segment"])
        slate = distinct_draws(
            lambda shape: generator.integers(self.num_items, size=shape), batch, self.slate_size
        )
        log_propensity = -np.log(np.arange(self.num_items, self.num_items - self.slate_size, -1)).sum()
        return Decision(as_action(slate), np.full(batch, np.exp(log_propensity)))

    def item_prob(self, observation: Observation) -> FloatArray:
        """[B, N] float64: 1/N each."""
        return np.full((len(observation["segment"]), self.num_items), 1 / self.num_items)

    def item_propensity(self, observation: Observation, slate: IntArray) -> FloatArray:
        """[B, K] float64: 1 / (N - k), probability of every item of these slates given those above it."""
        return np.broadcast_to(1 / (self.num_items - np.arange(slate.shape[1])), slate.shape)

    def save(self, folder: str | Path) -> None:
        """Write the policy to a folder."""
        save_agent(folder, "RandomPolicy", {"num_items": self.num_items, "slate_size": self.slate_size}, {})

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a policy that `save` wrote."""
        card, _ = load_agent(folder, "RandomPolicy")
        return cls(card["num_items"], card["slate_size"])


class Popular:
    """The public popularity ranking, K items further down with every step, visible history skipped.

    Step t shows positions t K .. t K + K - 1 of the ranking without the items in the visible history, so no
    item comes twice in a session unless the ranking is used up (it then starts again) or a click has left
    the visible history.

    Args:
        catalog: public catalog; ties in popularity go to the smaller id.
        slate_size: K.
    """

    name: ClassVar[str] = "popular"
    needs_state: ClassVar[bool] = False

    def __init__(self, catalog: PublicCatalog, slate_size: int = 1) -> None:
        self._set(np.argsort(-catalog.base_popularity, kind="stable").astype(np.int64), slate_size)

    def _set(self, ranking: IntArray, slate_size: int) -> None:
        if not 1 <= slate_size <= len(ranking):
            raise ValueError(f"slate_size: expected in [1, {len(ranking)}], got {slate_size}")
        self.ranking = ranking
        self.slate_size = slate_size
        self.place = np.empty(len(ranking) + 1, dtype=np.int64)
        self.place[ranking] = np.arange(len(ranking))
        self.place[-1] = len(ranking)

    def act(self, observation: Observation, generator: np.random.Generator) -> Decision:
        """Deterministic; see the class."""
        history = observation["history_items"]
        num_items = len(self.ranking)
        if history.size and history.max() > num_items:
            raise ValueError(
                f"observation['history_items']: expected in [0, {num_items}], got {int(history.max())}"
            )
        skipped = np.sort(self.place[history], axis=1)
        # Items shown twice in the history would be skipped twice: move the repeats behind the end.
        skipped[:, 1:][skipped[:, 1:] == skipped[:, :-1]] = num_items
        skipped.sort(axis=1)
        free = num_items - (skipped < num_items).sum(axis=1, keepdims=True)
        if (free < self.slate_size).any():
            raise ValueError(
                f"slate_size: {self.slate_size} items, but only {int(free.min())} are outside the history"
            )
        step = np.asarray(observation["session_step"]).reshape(-1, 1)
        place = (step * self.slate_size + np.arange(self.slate_size)) % free
        for column in skipped.T:
            place += column[:, None] <= place
        return Decision(as_action(self.ranking[place]), np.ones(len(place)))

    def save(self, folder: str | Path) -> None:
        """Write the policy to a folder."""
        arrays = {"ranking": torch.from_numpy(self.ranking)}
        save_agent(folder, "Popular", {"slate_size": self.slate_size}, arrays)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a policy that `save` wrote."""
        card, arrays = load_agent(folder, "Popular")
        policy = cls.__new__(cls)
        policy._set(arrays["ranking"].numpy(), card["slate_size"])
        return policy


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
