"""The planning oracle: chooses by forked rollouts, with the simulator's hidden state but without its luck."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from agents.oracles.base_policies import BasePolicies, Outlook
from agents.sampling import FloatArray, IntArray, as_action
from agents.spec import Observation
from agents.storage import load_agent, save_agent
from recsim_env import Decision, World, WorldConfig
from recsim_env.streams import MAX_USER_ID
from recsim_env.truth import slate_truth

States = NDArray[Any]


@dataclass(frozen=True)
class PlanningConfig:
    """How far and how often the planning oracle looks ahead.

    Attributes:
        family: bonus b and price c of each base policy, see `BasePolicies`; the first is 0, 0: the myopic
            oracle.
        rollouts: R forks of the user per candidate, at least 2.
        depth: L steps of a rollout, the candidate's own included.
        caution: how many standard errors better than the base policy a candidate must look.
        pool_size: M items per user among which rollouts choose; at least four slates are taken.
        calibration_users: imagined users on whom the base policy is chosen.
        batch_users: users planned for side by side.
        seed: key of the imagined luck. It must not be the key of the world that the oracle acts in.
    """

    family: tuple[tuple[float, float], ...] = (
        (0.0, 0.0),
        (0.5, 0.0),
        (1.0, 0.0),
        (2.0, 0.0),
        (4.0, 0.0),
        (8.0, 0.0),
        (0.0, 1.0),
        (0.0, 2.0),
        (0.0, 4.0),
        (2.0, 0.5),
    )
    rollouts: int = 8
    depth: int = 100
    caution: float = 1.0
    pool_size: int = 16
    calibration_users: int = 512
    batch_users: int = 256
    seed: int = 2**63

    def __post_init__(self) -> None:
        family = tuple(tuple(float(weight) for weight in policy) for policy in self.family)
        finite = all(len(policy) == 2 and math.isfinite(sum(policy)) for policy in family)
        if family[:1] != ((0.0, 0.0),) or not finite:
            raise ValueError(
                f"PlanningConfig.family: expected pairs of finite numbers, the first 0, 0; got {self.family}"
            )
        object.__setattr__(self, "family", family)
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


class PlanningOracle:
    """Looks ahead by rollouts of a family of base policies, reading the simulator's hidden state.

    The base policies are greedy for reward and quality, and pay a price for satiated topics (`BasePolicies`).
    The one that earns most on imagined users is the default, unless it is not clearly above the myopic one.

    At each decision every base policy is tried on R forks of the user's state for L steps, and the one of
    highest lower confidence bound of its gain over the default is followed: caution times the standard error
    is subtracted. Rollout i of all of them has the same luck, and a step counts with its expected reward, not
    with the drawn one. Where actions change nothing but the reward of their own step, no policy gains over
    the myopic one in any rollout, and the oracle is the myopic oracle exactly.

    The luck of rollouts comes from another key, `PlanningConfig.seed`, and from other user ids than those of
    the world that the oracle acts in. A fork that is stepped with the world's own key would foretell the
    clicks to come, and an oracle that used it would measure luck, not what a policy can reach.

    Cost: per decision of a user and J base policies, 2 N item scores, and J R L steps with M of them each.

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
        family = np.array(self.config.family, np.float32)
        self._base = BasePolicies(world, family, self.config.pool_size, self.config.seed)

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
        """Which base policy is the default: the one of highest mean return on imagined users.

        It is 0, the myopic oracle, unless the best is above it by two standard errors.
        """
        count = self.config.calibration_users
        states, rows = self.world.empty_states(count), np.arange(count)
        self.world.reset(self.config.seed, states, rows, self.world.users(count), np.zeros(count, np.int64))
        candidates = self._base.candidates(states)
        truth = self._base.truth(states, candidates)
        actions, outlook = self._base.first_slates(states, truth, candidates)
        slates = self._base.items(candidates, actions)
        returns = []
        for policy, weights in enumerate(self.config.family):
            repeated = np.tile(np.array(weights, np.float32), (count, 1))
            returns.append(self._play(states.copy(), slates[:, policy], outlook, repeated))
        gain = np.array(returns) - returns[0]
        best = int(gain.mean(axis=1).argmax())
        error = gain[best].std(ddof=1) / np.sqrt(count)
        return best if gain[best].mean() > 2 * error else 0

    def _plan(self, states: States, candidates: IntArray | None) -> IntArray:
        """The chosen slate of each user, [B, K]: items, or numbers of candidates [B, M] where there are."""
        config, base = self.config, self._base
        actions, outlook = base.first_slates(states, base.truth(states, candidates), candidates)
        slates = base.items(candidates, actions)
        shape = (len(states), len(config.family), config.rollouts)
        user, policy, rollout = (axis.ravel() for axis in np.indices(shape))
        returns = self._play(
            self._imagined(states[user], rollout),
            slates[user, policy],
            outlook.of(user),
            np.array(config.family, np.float32)[policy],
        ).reshape(shape)
        gain = returns - returns[:, self.default, None]
        error = gain.std(axis=2, ddof=1) / np.sqrt(config.rollouts)
        chosen = (gain.mean(axis=2) - config.caution * error).argmax(axis=1)
        best: IntArray = actions[np.arange(len(states)), chosen]
        return best

    def _imagined(self, forks: States, rollout: IntArray) -> States:
        """Give forks other user ids, from the largest down: each rollout of a decision has its own luck."""
        key = (forks["user_id"] * 8_191 + forks["visit"]) * 8_191 + forks["step"]
        forks["user_id"] = ~(key * self.config.rollouts + rollout) & MAX_USER_ID
        return forks

    def _play(
        self, forks: States, slates: IntArray, outlook: Outlook, weights: NDArray[np.float32]
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
                forks, live, weights, outlook = forks[stay], live[stay], weights[stay], outlook.of(stay)
            if not len(live):
                break
            slates = self._base.choose(forks, outlook, weights)
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
