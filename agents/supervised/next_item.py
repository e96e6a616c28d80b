"""Supervised controls: next-item prediction, plain and weighted by reward."""

from __future__ import annotations

from torch import Tensor

from agents.learning.heads import HeadConfig, HeadLearner, HeadsNetwork, Minibatch, mean_over


class NextItem(HeadLearner):
    """Predicts which item is clicked, from the clicked impressions of the log: one network, all the updates.

    Loss of a minibatch:  mean over clicked impressions of CE(next-item head, clicked item)

    Where the logging policy shows all items alike, what is most likely clicked is the myopic choice.

    Source: GRU4Rec, Hidasi et al. (2016), with the full softmax; SQN's supervised part (Xin et al. 2020).
    """

    name = "next-item"
    config_class = HeadConfig

    def losses(self, main: HeadsNetwork, other: HeadsNetwork, batch: Minibatch) -> dict[str, Tensor]:
        return {"next_item": mean_over(self.next_item_losses(main, batch)[0])}


class RewardWeighted(NextItem):
    """Next-item prediction in which a click counts as much as it earned.

    Loss of a minibatch:  mean over clicked impressions of r CE(next-item head, clicked item)

    r is the slot's share of the reward.

    Source: reward-weighted regression, Peters and Schaal (2007); as a control of RL for recommendation,
    "weighted cross-entropy" in Xin et al. (2022).
    """

    name = "reward-weighted"

    def losses(self, main: HeadsNetwork, other: HeadsNetwork, batch: Minibatch) -> dict[str, Tensor]:
        loss, row, slot = self.next_item_losses(main, batch)
        return {"next_item": mean_over(batch.data.slot_reward[batch.rows[row], slot] * loss)}
