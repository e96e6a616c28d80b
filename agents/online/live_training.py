"""What goes on around the learning from live users: held-out users, early stopping, checkpoints, reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from gymnasium.vector import VectorEnv
from torch import Tensor

from agents.learning.checkpoints import below, read_checkpoint, write_checkpoint
from agents.learning.training import REPORT_EVERY, Best, Progress
from recsim_env import rollout
from recsim_env.streams import MAX_STEP

if TYPE_CHECKING:
    from agents.online.online_agent import OnlineAgent
    from recsim_env import Policy

VALIDATION_SEED = 2**41
"""Stream seed of the users who are looked at while an agent learns; no training or comparison meets them."""

Taken = tuple[Mapping[str, Tensor], Mapping[str, Any]]
"""All that a learner changes: tensors, and what JSON can hold."""


@dataclass(frozen=True)
class LiveTraining:
    """What goes on around the updates of an agent that learns from live users.

    Results depend on these where there is `patience`, and on the device by rounding.

    Attributes:
        held_out_users: beside those it learns from, whom the agent serves without learning; 0 for none.
        evaluate_every: decisions between such looks, once there is something to look at.
        patience: stop after so many looks without a higher return per user, and go back to the best; 0:
            never.
        device: where networks learn, such as "cpu" or "cuda".
        checkpoint: file to go on from if it exists, and to write; None for no checkpoints.
        checkpoint_every: decisions between checkpoints.
    """

    held_out_users: int = 0
    evaluate_every: int = 10_000
    patience: int = 0
    device: str = "cpu"
    checkpoint: Path | None = None
    checkpoint_every: int = 50_000

    def __post_init__(self) -> None:
        if self.checkpoint is not None:
            object.__setattr__(self, "checkpoint", Path(self.checkpoint))
        least = {"held_out_users": 0, "evaluate_every": 1, "patience": 0, "checkpoint_every": 1}
        for name, low in least.items():
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= low):
                raise ValueError(f"{name}: expected an integer of at least {low}, got {value!r}")
        if self.patience and not self.held_out_users:
            raise ValueError("patience: stopping early needs held_out_users above 0, got 0")

    @property
    def settings(self) -> dict[str, Any]:
        """The fields that tell trainings apart: what they report, and with patience what they end with."""
        return {
            "held_out_users": self.held_out_users,
            "evaluate_every": self.evaluate_every,
            "patience": self.patience,
        }


class LiveRun:
    """One training on live users: looks, keeps and reports when it is time to.

    Args:
        agent: that learns; it can `act` from the first call of `after` on.
        env: native vector environment that it learns on.
        num_decisions: in all.
        seed: of the training.
        training: what is to be done.
        progress: called as progress(decisions, total, metrics), or None.
    """

    def __init__(
        self,
        agent: OnlineAgent,
        env: VectorEnv[Any, Any, Any],
        num_decisions: int,
        seed: int,
        training: LiveTraining,
        progress: Progress | None,
    ) -> None:
        self.agent, self.env, self.num_decisions = agent, env, num_decisions
        self.training, self.progress = training, progress
        self.best, self.identity = Best(), identity_of(agent, env, num_decisions, seed, training)

    def resume(self, put_back: Callable[[Mapping[str, Tensor], Mapping[str, Any]], None]) -> bool:
        """Hand over what the checkpoint holds, if there is one; whether there was.

        Args:
            put_back: given what `take` gave to `after`, and the decisions so far as the number `decisions`.

        Raises:
            ValueError: it belongs to another training, or cannot be read.
        """
        path = self.training.checkpoint
        if path is None or not path.exists():
            return False
        tensors, numbers = read_checkpoint(path, self.identity)
        self.best.restore(below("best", tensors), numbers["best"])
        put_back(tensors, numbers)
        return True

    @property
    def stopped(self) -> bool:
        """Whether patience has run out."""
        return 0 < self.training.patience <= self.best.waited

    def after(
        self,
        before: int,
        decisions: int,
        metrics: Callable[[], Mapping[str, float]],
        take: Callable[[], Taken],
        begun: bool = True,
    ) -> bool:
        """Do what is due after so many decisions; whether to go on.

        Args:
            before: decisions made at the last call, 0 at the first.
            decisions: made so far.
            metrics: what the learner has to report; called when a report is due.
            take: its state, from which it can go on behind this point; names other than `decisions`, `best`,
                and those that begin with "best.".
            begun: whether it has learned anything yet. What has not is not looked at: its return would be
                the same every time.
        """
        training, looked = self.training, {}
        over = decisions >= self.num_decisions

        def due(every: int) -> bool:
            return over or decisions // every > before // every

        if training.held_out_users and begun and due(training.evaluate_every):
            looked = {"held_out_return": self.look()}
            if training.patience:
                self.best.look(looked["held_out_return"], decisions, self.agent.learned_arrays())
        over = over or self.stopped
        if training.checkpoint is not None and due(training.checkpoint_every):
            tensors, numbers = take()
            weights, best = self.best.take()
            kept = {**tensors, **{f"best.{name}": tensor for name, tensor in weights.items()}}
            numbers = {**numbers, "decisions": decisions, "best": best}
            write_checkpoint(training.checkpoint, self.identity, kept, numbers)
        if self.progress is not None and (looked or due(REPORT_EVERY * self.env.num_envs)):
            step = min(decisions, self.num_decisions)
            self.progress(step, self.num_decisions, {**metrics(), **looked})
        return not over

    def back_to_best(self) -> None:
        """Give the agent the weights of the best look."""
        if self.best.weights:
            self.agent.restore(self.best.weights)

    def look(self) -> float:
        """Reward per user of the held-out users, whom the agent serves as it would be saved now."""
        native: Any = self.env.unwrapped
        users = native.world.users(self.training.held_out_users)
        served = rollout(
            native.world,
            cast("Policy", self.agent),
            users,
            seed=VALIDATION_SEED,
            generator=np.random.default_rng(0),
            max_steps=native.max_episode_steps or MAX_STEP,
        )
        return float(sum(batch.reward.sum() for batch in served)) / len(users)


def identity_of(
    agent: OnlineAgent, env: VectorEnv[Any, Any, Any], num_decisions: int, seed: int, training: LiveTraining
) -> dict[str, Any]:
    """What tells a training from others, beside what the environment's snapshot tells of its world."""
    return {
        "agent": type(agent).__name__,
        "config": asdict(agent.config),
        "catalog": agent.fingerprint,
        "stream_seed": env.unwrapped.seed_value,  # type: ignore[attr-defined]
        "num_envs": env.num_envs,
        "decisions": num_decisions,
        "training": training.settings,
        "seed": seed,
    }
