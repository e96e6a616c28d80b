"""The planning oracle: chooses by forked rollouts, with the simulator's hidden state but without its luck."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from agents.sampling import FloatArray, IntArray, as_action
from agents.spec import Observation
from agents.storage import load_agent, save_agent
from recsim_env import Decision, World, WorldConfig
from recsim_env.streams import MAX_USER_ID
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


@dataclass(frozen=True)
class PlanningConfig:
    """How far and how often the planning oracle looks ahead.

    Attributes:
        bonuses: b of the family of base policies, ascending from 0, which is the myopic oracle; see
            `PlanningOracle`.
        rollouts: R forks of the user per candidate, at least 2.
        depth: L steps of a rollout, the candidate's own included.
        caution: how many standard errors better than the base policy a candidate must look.
        pool_size: M items per user among which rollouts choose; at least four slates are taken.
        calibration_users: imagined users on whom the base policy is chosen.
        batch_users: users planned for side by side.
        seed: key of the imagined luck. It must not be the key of the world that the oracle acts in.
    """

    bonuses: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0)
    rollouts: int = 8
    depth: int = 100
    caution: float = 1.0
    pool_size: int = 16
    calibration_users: int = 512
    batch_users: int = 256
    seed: int = 2**63

    def __post_init__(self) -> None:
        bonuses = tuple(float(bonus) for bonus in self.bonuses)
        object.__setattr__(self, "bonuses", bonuses)
        if bonuses[:1] != (0.0,) or any(low >= high for low, high in pairwise(bonuses)):
            raise ValueError(f"PlanningConfig.bonuses: expected ascending numbers from 0, got {bonuses}")
        least = {
            "rollouts": 2,
            "depth": 1,
            "pool_size": 1,
            "calibration_users": 2,
            "batch_users": 1,
        }
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ValueError(f"PlanningConfig.{name}: expected at least {low}, got {getattr(self, name)}")
        if not self.caution >= 0:
            raise ValueError(f"PlanningConfig.caution: expected at least 0, got {self.caution}")


class Outlook(NamedTuple):
    """What the rollouts of B users need: pools [B, M] int64, the quality of their items, the unit [B].

    In two-stage worlds the pools are empty: each step has candidates of its own.
    """

    pools: IntArray
    quality: NDArray[np.float32]
    unit: NDArray[np.float32]

    def of(self, rows: Any) -> Outlook:
        """The outlook of some rows."""
        return Outlook(*(array[rows] for array in self))


class PlanningOracle:
    """Looks ahead by rollouts of a family of base policies, reading the simulator's hidden state.

    A base policy of bonus b shows the slate of highest expected value when each click counts
    r + b u q: its expected reward r, and the quality q of the item, which decides how satisfied the user is
    and so how long they stay; u, the highest expected reward of one step, makes b free of the reward's scale.
    The base policy that earns most on imagined users is the default, unless it is not clearly above b = 0.

    At each decision every base policy is tried on R forks of the user's state for L steps, and the one of
    highest lower confidence bound of its gain over the default is followed: caution times the standard error
    is subtracted. Rollout i of all of them has the same luck, and a step counts with its expected reward, not
    with the drawn one. Where actions change nothing but the reward of their own step, no policy gains over
    the myopic one in any rollout, and the oracle is the myopic oracle exactly.

    The luck of rollouts comes from another key, `PlanningConfig.seed`, and from other user ids than those of
    the world that the oracle acts in. A fork that is stepped with the world's own key would foretell the
    clicks to come, and an oracle that used it would measure luck, not what a policy can reach.

    Cost: per decision of a user and J bonuses, 2 N item scores, and J R L steps with M item scores each.

    Args:
        world: the world whose states it will be given.
        max_steps: horizon of the sessions it will serve, so that it plans no further; 0 for none.
        config: how far and how often it looks ahead.

    Source: rollout algorithms, Bertsekas, Tsitsiklis and Wu (1997); of several base policies, parallel
    rollout, Chang, Givan and Chong (2004); ours: the family and the lower bound.
    """

    name: ClassVar[str] = "planning"
    needs_state: ClassVar[bool] = True

    def __init__(self, world: World, max_steps: int = 0, config: PlanningConfig | None = None) -> None:
        if max_steps < 0:
            raise ValueError(f"max_steps: expected at least 0, got {max_steps}")
        self.world = world
        self.max_steps = max_steps
        self.config = PlanningConfig() if config is None else config
        self._quality = world.items["quality"].astype(np.float32)

    def act(self, observation: Observation, generator: np.random.Generator, state: States) -> Decision:
        """Deterministic given the state, whoever else is in the batch; `state` is [B] USER_STATE."""
        size = self.config.batch_users
        candidates = observation.get("candidates")
        parts = [slice(at, at + size) for at in range(0, len(state), size)]
        slate = np.concatenate(
            [self._plan(state[part], None if candidates is None else candidates[part]) for part in parts]
        )
        return Decision(as_action(slate), np.ones(len(slate)))

    @cached_property
    def default(self) -> int:
        """Which of the bonuses is the default's: the one of highest mean return on imagined users.

        It is 0, the myopic oracle, unless the best is above it by two standard errors.
        """
        count = self.config.calibration_users
        states, rows = self.world.empty_states(count), np.arange(count)
        users = rows * max(1, self.world.config.run.run_users // count)  # arrive all through the run
        self.world.reset(self.config.seed, states, rows, users, np.zeros(count, np.int64))
        candidates = self._candidates(states)
        outlook = self._outlook(states, self._truth_now(states, candidates), candidates)[0]
        returns = []
        for bonus in self.config.bonuses:
            weights = np.full(count, bonus, np.float32)
            slates = self._choose(states, outlook, weights)
            returns.append(self._play(states.copy(), slates, outlook, weights))
        gain = np.array(returns) - returns[0]
        best = int(gain.mean(axis=1).argmax())
        error = gain[best].std(ddof=1) / np.sqrt(count)
        return best if gain[best].mean() > 2 * error else 0

    def _candidates(self, states: States) -> IntArray | None:
        """Imagined candidates, [B, M] in [0, N]; None where all items may be shown."""
        if not self.world.config.candidates.num_candidates:
            return None
        offers = self.world.offer(self.config.seed, states)
        return np.where(offers < 0, len(self._quality), offers)

    def _truth_now(self, states: States, candidates: IntArray | None) -> ItemTruth:
        """The truth of what may be shown now: all items, or candidates."""
        if candidates is None:
            return item_truth(self.world, states)
        return candidate_truth(self.world, states, candidates)

    def _items(self, candidates: IntArray | None, columns: IntArray) -> IntArray:
        """The items of columns [B, ...] of what ``_truth_now`` gives."""
        if candidates is None:
            return columns
        known = np.minimum(candidates, len(self._quality) - 1)
        return np.take_along_axis(known, columns.reshape(len(columns), -1), axis=1).reshape(columns.shape)

    def _quality_of(self, candidates: IntArray) -> NDArray[np.float32]:
        return self._quality[np.minimum(candidates, len(self._quality) - 1)]

    def _plan(self, states: States, candidates: IntArray | None) -> IntArray:
        """The chosen slate of each user, [B, K]: items, or numbers of candidates [B, M] where there are."""
        config = self.config
        truth = self._truth_now(states, candidates)
        outlook, myopic = self._outlook(states, truth, candidates)
        quality = self._quality if candidates is None else self._quality_of(candidates)
        later = [self._worth(truth, quality, outlook.unit, bonus) for bonus in config.bonuses[1:]]
        actions = np.stack([myopic, *(best_slates(self.world, worth) for worth in later)], axis=1)
        slates = self._items(candidates, actions)
        shape = (len(states), len(config.bonuses), config.rollouts)
        user, policy, rollout = (axis.ravel() for axis in np.indices(shape))
        returns = self._play(
            self._imagined(states[user], rollout),
            slates[user, policy],
            outlook.of(user),
            np.array(config.bonuses, np.float32)[policy],
        ).reshape(shape)
        gain = returns - returns[:, self.default, None]
        error = gain.std(axis=2, ddof=1) / np.sqrt(config.rollouts)
        chosen = (gain.mean(axis=2) - config.caution * error).argmax(axis=1)
        best: IntArray = actions[np.arange(len(states)), chosen]
        return best

    def _outlook(
        self, states: States, truth: ItemTruth, candidates: IntArray | None
    ) -> tuple[Outlook, IntArray]:
        """Pools, their quality and the unit; and the myopic slates [B, K], as columns of ``truth``.

        A pool holds the items that stand highest in the ranking of any base policy when no topic is satiated.
        """
        myopic = best_slates(self.world, truth)
        shown = self._items(candidates, myopic)
        unit = np.abs(slate_truth(self.world, states, shown).expected_reward).astype(np.float32)
        if self.world.config.candidates.num_candidates:
            nothing = np.empty((len(states), 0), np.int64)
            return Outlook(nothing, nothing.astype(np.float32), unit), myopic
        fresh = states.copy()
        fresh["satiation"] = 0
        fresh_truth = item_truth(self.world, fresh)
        standing = np.full(truth.utility.shape, -np.inf, np.float32)
        for bonus in self.config.bonuses:
            worth = self._worth(fresh_truth, self._quality, unit, bonus).expected_reward
            standing = np.maximum(standing, worth - worth.max(axis=1, keepdims=True))
        size = min(max(self.config.pool_size, 4 * myopic.shape[1]), len(self._quality))
        pools = np.sort(top_items(standing, size), axis=1)
        return Outlook(pools, self._quality[pools], unit), myopic

    @staticmethod
    def _worth(truth: ItemTruth, quality: Any, unit: NDArray[np.float32], bonus: Any) -> ItemTruth:
        """The truth with r + b u q as value of a click; bonus: a number, or [B]."""
        weight = (np.float32(1) * bonus * unit)[:, None]
        return ItemTruth(truth.utility, truth.value_of_click + weight * quality)

    def _imagined(self, forks: States, rollout: IntArray) -> States:
        """Give forks other user ids, from the largest down: each rollout of a decision has its own luck."""
        key = (forks["user_id"] * 8_191 + forks["visit"]) * 8_191 + forks["step"]
        forks["user_id"] = ~(key * self.config.rollouts + rollout) & MAX_USER_ID
        return forks

    def _choose(self, states: States, outlook: Outlook, bonus: NDArray[np.float32]) -> IntArray:
        """Slates of base policies that choose from pools, [B, K]."""
        candidates = self._candidates(states)
        if candidates is None:
            pools, quality = outlook.pools, outlook.quality
            truth = pool_truth(self.world, states, pools)
        else:
            pools, quality = candidates, self._quality_of(candidates)
            truth = candidate_truth(self.world, states, candidates)
        columns = best_slates(self.world, self._worth(truth, quality, outlook.unit, bonus))
        return self._items(pools, columns)

    def _play(
        self, forks: States, slates: IntArray, outlook: Outlook, bonus: NDArray[np.float32]
    ) -> FloatArray:
        """Show slates to forks, then follow base policies: the expected reward of all steps, [B]."""
        scratch = self.world.empty_scratch()
        returns = slate_truth(self.world, forks, slates, scratch).expected_reward
        live = np.arange(len(forks))
        for _ in range(self.config.depth - 1):
            outcomes, _ = self.world.step(
                self.config.seed,
                forks,
                slates,
                blank_repeats=False,
                max_steps=self.max_steps,
                scratch=scratch,
            )
            stay = ~(outcomes["terminated"] | outcomes["truncated"])
            if not stay.all():
                forks, live, bonus, outlook = forks[stay], live[stay], bonus[stay], outlook.of(stay)
            if not len(live):
                break
            slates = self._choose(forks, outlook, bonus)
            returns[live] += slate_truth(self.world, forks, slates, scratch).expected_reward
        return returns

    def save(self, folder: str | Path) -> None:
        """Write config and world config to a folder."""
        card = {"world": self.world.config.to_json(), "max_steps": self.max_steps, **asdict(self.config)}
        save_agent(folder, "PlanningOracle", card, {})

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read an oracle that `save` wrote; its world is built anew from the config."""
        card, _ = load_agent(folder, "PlanningOracle")
        world, max_steps = World(WorldConfig.from_json(card.pop("world"))), card.pop("max_steps")
        names = PlanningConfig.__dataclass_fields__
        return cls(world, max_steps, PlanningConfig(**{name: card[name] for name in names}))
