"""Supervised advantage actor-critic (SA2C): SNQN, whose next-item loss is weighted by advantages.

Source: Xin, Karatzoglou, Arapakis and Jose (2022), "Supervised advantage actor-critic for recommender
systems", WSDM, sections 3.3 and 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from agents.learning.heads import HeadsNetwork, Minibatch, mean_over
from agents.losses import sampled_advantage, smoothed_ratio
from agents.value.snqn import SNQN, SNQNConfig


@dataclass(frozen=True)
class SA2CConfig(SNQNConfig):
    """SNQN's settings.

    Attributes:
        warm_start: share of the updates, from the start, that are SNQN's; the authors' code has 15,000
            updates.
        smoothing: exponent of the ratio of the next-item head's probability to the propensity, in [0, 1]; 0,
            the authors' default, leaves the correction out.
    """

    warm_start: float = 0.5
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("warm_start", "smoothing"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}: expected in [0, 1], got {getattr(self, name)}")


class SA2C(SNQN):
    """SNQN until the warm start is over; then the advantage of the clicked item weighs its next-item loss.

    Loss of a minibatch:  mean over clicked impressions of w A CE(next-item head, clicked item)
                          + td_weight * (mean over all impressions of TD(Q head, shown item)
                                         + mean over decisions of sum_j TD(Q head, negative j))

    A is `sampled_advantage` over the same negatives, w is `smoothed_ratio`. The authors estimate the
    propensity by the item's share of the log; our logs record it, for slates as that of the slate, of which
    the K-th root is taken (Ours). They continue with a smaller learning rate after the warm start; here the
    learning rate falls linearly throughout.
    """

    name = "sa2c"
    config_class = SA2CConfig

    def losses(self, main: HeadsNetwork, other: HeadsNetwork, batch: Minibatch) -> dict[str, Tensor]:
        config: SA2CConfig = self.config
        if batch.done < config.warm_start or config.td_weight == 0:
            return super().losses(main, other, batch)
        q_negative = main.q.of_items(batch.state, batch.table, self.negatives(batch))
        loss, row, slot = self.next_item_losses(main, batch)
        weight = sampled_advantage(batch.q_t[row, slot], q_negative[row])
        if config.smoothing > 0:
            log_propensity = batch.data.log_propensity[batch.rows[row]] / self.spec.slate_size
            weight = weight * smoothed_ratio(-loss.detach(), log_propensity, config.smoothing)
        return {
            "next_item": mean_over(weight * loss),
            "td": config.td_weight * self.td(main, other, batch),
            **self.negative_part(main, other, batch, q_negative),
        }
