"""What the learners of action values from logs share: targets, and the controls of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from agents.learning.batches import LogTensors, check_n_steps, gather
from agents.learning.heads import HeadConfig, HeadLearner, HeadsNetwork, Minibatch
from agents.losses import double_q_value, td_loss


@dataclass(frozen=True)
class ValueConfig(HeadConfig):
    """What every value learner can be set to, controls included.

    Attributes:
        gamma: discount, in [0, 1); 0 is the control without foresight. 1 where sessions are episodes.
        acting_head: "ce" recommends by the next-item head, "q" by the Q head.
        bootstrap: what follows is worth "max", the value of the best item, or "logged", that of what the log
            shows next: the control EVAL, which judges the logging policy and improves nothing. There, a
            session that was cut off is over, since nothing that follows is logged.
        episodic: whether nothing counts after a session's last row, though the user had not left. For tasks
            whose horizon is part of the task (time-aware agents, Pardo et al. 2018, "Time limits in
            reinforcement learning"): the observation tells the step. Otherwise truncated sessions bootstrap.
        n_steps: decisions whose logged rewards a target adds up before values take over. More of them carry
            rewards back sooner, and their luck with them; they are those of the logging policy, which with
            `bootstrap="max"` is an error that is not corrected (as in Hessel et al. 2018, "Rainbow").
        dueling: whether the Q head adds a level of the state to the scores of items (`DuelingScorer`). Helps
            where values are large and items differ little; published SQN has none.
        shuffled_reward: rewards are exchanged among all rows of the log: the control in which values have
            nothing to learn.
    """

    gamma: float = 0.5
    acting_head: Literal["ce", "q"] = "ce"
    bootstrap: Literal["max", "logged"] = "max"
    episodic: bool = False
    n_steps: int = 1
    dueling: bool = False
    shuffled_reward: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0.0 <= self.gamma < 1.0 or (self.gamma == 1.0 and self.episodic)):
            raise ValueError(f"gamma: expected in [0, 1), or 1 if episodic, got {self.gamma}")
        if self.acting_head not in ("ce", "q"):
            raise ValueError(f"acting_head: expected 'ce' or 'q', got {self.acting_head!r}")
        if self.bootstrap not in ("max", "logged"):
            raise ValueError(f"bootstrap: expected 'max' or 'logged', got {self.bootstrap!r}")
        check_n_steps(self.n_steps)


class ValueLearner(HeadLearner):
    """Two copies of the network, of which one chooses the next item and the other judges it.

    Here, as in SQN, a fair coin says at each update which copy is trained. The published logs hold clicks
    only. Ours keep the skips: they carry reward 0 into the TD loss and stay out of the next-item loss. Slates
    are credited by slot: a clicked slot gets its share of the row's reward, the other slots 0, and every
    slot bootstraps from the same next state (Ours: independent slots).
    """

    config_class = ValueConfig
    num_copies = 2
    learns_values = True

    def acting_head(self) -> str:
        config: ValueConfig = self.config
        return config.acting_head

    def make_copy(self) -> HeadsNetwork:
        """With the Q head that the config asks for."""
        config: ValueConfig = self.config
        return HeadsNetwork(self.spec, self.num_topics, config.dim, config.encoder, config.dueling)

    def turn(
        self, data: LogTensors, done: float, generator: torch.Generator
    ) -> tuple[HeadsNetwork, HeadsNetwork, torch.optim.Optimizer]:
        side = int(torch.randint(2, (), generator=generator))
        copies = self._copies()
        return copies[side], copies[1 - side], self._optimizers[side]

    def td(self, main: HeadsNetwork, other: HeadsNetwork, batch: Minibatch) -> Tensor:
        """TD loss, mean over all impressions."""
        return td_loss(batch.q_t, self._target(main, other, batch.data, batch.rows)).mean()

    @torch.no_grad()
    def _target(self, main: HeadsNetwork, other: HeadsNetwork, data: LogTensors, rows: Tensor) -> Tensor:
        """[b, K] TD targets: the slot's reward, later ones, and the discounted value of what follows."""
        config: ValueConfig = self.config
        slot_reward = data.slot_reward[rows]
        if config.gamma == 0:
            return slot_reward
        ends_with_log = config.episodic or config.bootstrap == "logged"
        ahead = data.n_step_return(rows, config.gamma, config.n_steps, ends_with_log)
        following = gather(data.next_observation, ahead.last_row)
        value = self._state_value(main, other, following, data.shown_next(ahead.last_row))
        return slot_reward + (ahead.reward + ahead.discount * value).unsqueeze(1)

    def _state_value(
        self,
        main: HeadsNetwork,
        other: HeadsNetwork,
        observation: Mapping[str, Tensor],
        logged: Tensor,
        encoded: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """[b] value of the best item, which `main` chooses and `other` judges; or of logged ones, [b, K].

        In dated worlds the best item is one on offer, if the log says the hour. `encoded` are state and item
        table by `main` where they are known, which spares making them again.
        """
        if self.config.bootstrap == "logged":
            return other.scores(observation, "q", logged).mean(dim=1)
        chosen_by = main.scores(observation, "q") if encoded is None else main.q(*encoded)
        table = main.encoder.items
        if table.has_dates and "hour" in observation:
            chosen_by = chosen_by.masked_fill(~table.on_offer(observation["hour"]), -torch.inf)
        return double_q_value(chosen_by, other.scores(observation, "q"))
