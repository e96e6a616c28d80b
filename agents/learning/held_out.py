"""Users of the log whom the updates never see: which they are, and how an agent does on them.

Nothing here reads the simulator's truth; a real log would do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.learning.batches import LogTensors, session_ends
from agents.learning.training import begin
from agents.losses import returns_to_go
from agents.seeding import torch_generator
from recsim_env import ope

if TYPE_CHECKING:
    from agents.learning.checkpoints import TrainingState
    from agents.learning.offline import OfflineAgent
    from recsim_env.event_log import EventLog

MOST_ROWS = 20_000
"""Decisions that a look at held-out users reads; more cost time and tell little."""

LOOK_SEED = 0
"""Of an agent's draws while its held-out loss is measured: the same at every look."""


def held_out_users(user_id: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """[n] bool: rows of the users who are held out, about `share` of all users, whatever the log's order.

    A user is held out when a hash of (seed, user) is below the share.

    Source: the hash is the finaliser of SplitMix64, Steele, Lea and Flood (2014), fig. 16.
    """
    with np.errstate(over="ignore"):
        mixed = user_id.astype(np.uint64) + np.uint64(seed % 2**64) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)) * 2.0**-53 < share


class HeldOut:
    """The decisions of held-out users, and what they say of an agent.

    Two estimates:

    - `held_out_loss`: the mean of the agent's own loss, as its updates would report it (lower is better).
      Losses with bootstrapped targets or importance weights move with the scale of these: they can rise
      while the agent gets better.
    - `held_out_return`, of single items only: what a session still earns from a logged decision on if the
      agent takes this one decision and the logging policy all later ones (higher is better):

          sum_i w_i G_i / sum_i w_i,   w_i = pi(a_i | s_i) / beta(a_i | s_i)

      with the return-to-go G, undiscounted. To first order in how far the agent is from the logging policy,
      it ranks agents as their returns do (Kakade and Langford 2002, eq. 2; Chen et al. 2019, eq. 4, drop the
      later weights likewise). `held_out_rows` is the effective number of decisions that it rests on: where
      it is small, so is the worth of the estimate.

    Args:
        log: of held-out users, at least one decision.
        data: the same decisions as tensors.
    """

    def __init__(self, log: EventLog, data: LogTensors) -> None:
        self.log, self.data = log, data
        self.return_t = returns_to_go(log.reward, session_ends(log), 1.0)

    def look(self, agent: OfflineAgent, state: TrainingState, done: float) -> dict[str, float]:
        """The estimates by name; leaves the agent, its optimizers and every generator as they were.

        Args:
            agent: in training.
            state: of the training.
            done: share of the training that lies behind.
        """
        before = state.learned()
        with _learning_nothing(agent):
            metrics = {"held_out_loss": self._loss(agent, done)}
            if self.log.slate_size == 1:
                metrics |= self._return(agent)
        state.put_back(before)
        return metrics

    def _loss(self, agent: OfflineAgent, done: float) -> float:
        begin(agent, self.data)  # what an agent knows of a log's rows is now of these
        data, rows = self.data.to(agent.device), torch.arange(len(self.data), device=agent.device)
        generator, total = torch_generator(LOOK_SEED), 0.0
        for part in rows.split(agent.config.batch_size):
            total += agent.update(data, part, done, generator)["loss"].item() * len(part)
        return total / len(data)

    def _return(self, agent: OfflineAgent) -> dict[str, float]:
        policy: Any = agent
        agent.network.to("cpu")
        try:
            target = ope.policy_on_log(self.log, policy, agent.spec.num_items)
        finally:
            agent.network.to(agent.device)
        unit = self.log.user_id if self.log.num_users < len(self.log) else None
        decisions = ope.LoggedDecisions(self.return_t, self.log.propensity, target.propensity, unit)
        estimate = ope.snips(decisions)
        return {
            "held_out_return": estimate.value,
            "held_out_rows": float(estimate.effective_sample_size or 0.0),
        }


@contextmanager
def _learning_nothing(agent: OfflineAgent) -> Iterator[None]:
    """Inside the block updates measure and do not descend; after it the agent has its attributes back."""
    attributes = dict(vars(agent))
    agent.learning = False
    agent.network.eval()
    try:
        yield
    finally:
        vars(agent).clear()
        vars(agent).update(attributes)
        agent.network.train()
