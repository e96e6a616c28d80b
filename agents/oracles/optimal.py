"""The optimal policy of worlds that dynamic programming can solve."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from agents.storage import load_agent, save_agent
from recsim_env import World, WorldConfig
from recsim_env.optimal import EnumeratedSolution, SatisfactionSolution, Solution
from recsim_env.policy import Decision, Observation

SOLVED_USERS = 256
"""Users whose first states are enumerated from; every kind of user is among them, or `act` says so."""


def _enumerate(world: World, horizon: int) -> Solution:
    states = world.empty_states(SOLVED_USERS)
    users = np.arange(SOLVED_USERS)
    world.reset(0, states, users, users, np.zeros_like(users))
    return EnumeratedSolution(world, states, horizon)


SOLVERS: dict[str, Callable[[World, int], Solution]] = {
    "enumeration": _enumerate,
    "satisfaction": SatisfactionSolution,
}


class OptimalPolicy:
    """Acts by the solution of the true model, reading the simulator's hidden state.

    Args:
        world: slates of one, and small enough for the solver.
        horizon: T, decisions per session.
        solver: "enumeration" or "satisfaction", see `recsim_env.optimal`.

    Attributes:
        solution: the solved world; `solution.value(states)` is the optimal expected reward to go.
    """

    name: ClassVar[str] = "optimal"
    needs_state: ClassVar[bool] = True

    def __init__(self, world: World, horizon: int, solver: str) -> None:
        if solver not in SOLVERS:
            raise ValueError(f"OptimalPolicy: solver: expected one of {', '.join(SOLVERS)}, got {solver!r}")
        self.world, self.horizon, self.solver = world, horizon, solver
        self.solution = SOLVERS[solver](world, horizon)

    def act(self, observation: Observation, generator: np.random.Generator, state: NDArray[Any]) -> Decision:
        """Deterministic; `state` is the [B] USER_STATE array of the same users as the observation."""
        items = self.solution.act(state)
        return Decision(items, np.ones(len(items)))

    def save(self, folder: str | Path) -> None:
        """Write the world's config, the horizon and the solver to a folder."""
        card = {"config": self.world.config.to_json(), "horizon": self.horizon, "solver": self.solver}
        save_agent(folder, "OptimalPolicy", card, {})

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a policy that `save` wrote; its world is built and solved anew."""
        card, _ = load_agent(folder, "OptimalPolicy")
        return cls(World(WorldConfig.from_json(card["config"])), card["horizon"], card["solver"])
