"""Next-item prediction beside the prediction of how much a user interacts: the control of RL losses (HIST).

Source: Silva, Parra and Toro Icarte (2024), "On the unexpected effectiveness of reinforcement learning for
sequential recommendation", ICML.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from agents.learning.batches import LogTensors
from agents.learning.heads import HeadConfig, HeadsNetwork, Minibatch
from agents.losses import count_loss, returns_to_go
from agents.spec import ObservationSpec
from agents.supervised.next_item import NextItem


@dataclass(frozen=True)
class HISTConfig(HeadConfig):
    """Settings of the horizon head.

    Attributes:
        counted: the head predicts the number of items that the user clicks "ahead", from this decision to
            the end of the session; or that the user clicked "behind", before this decision. The paper finds
            that RL losses keep knowledge of the past; the future is what they are meant to know.
        count_weight: factor of its loss beside the next-item loss.
    """

    counted: Literal["ahead", "behind"] = "ahead"
    count_weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.counted not in ("ahead", "behind"):
            raise ValueError(f"counted: expected 'ahead' or 'behind', got {self.counted!r}")
        if not (math.isfinite(self.count_weight) and self.count_weight >= 0):
            raise ValueError(f"count_weight: expected a finite number of at least 0, got {self.count_weight}")


class HorizonNetwork(HeadsNetwork):
    """`HeadsNetwork` with a linear head that predicts log(1 + number of clicks)."""

    def __init__(self, spec: ObservationSpec, num_topics: int, dim: int, encoder: str) -> None:
        super().__init__(spec, num_topics, dim, encoder)
        self.horizon = nn.Linear(dim, 1)


class HIST(NextItem):
    """Next-item prediction whose encoder also has to know how many items a user interacts with.

    Loss of a minibatch:  mean over clicked impressions of CE(next-item head, clicked item)
                          + count_weight * mean over decisions of (log(1 + n) - horizon head)^2 / 2

    Acts by the next-item head. It knows nothing of rewards or of what follows from an item: what an RL loss
    gains over it, it gains by being RL.
    """

    name = "hist"
    config_class = HISTConfig

    def make_copy(self) -> HeadsNetwork:
        """With the third head."""
        return HorizonNetwork(self.spec, self.num_topics, self.config.dim, self.config.encoder)

    def begin(self, data: LogTensors) -> list[torch.optim.Optimizer]:
        """One optimizer, and the counts."""
        counts = clicks_ahead if self.config.counted == "ahead" else clicks_behind
        self._count = torch.from_numpy(counts(data.clicked.sum(dim=1).numpy(), data.last.numpy()))
        return super().begin(data)

    def losses(self, main: HeadsNetwork, other: HeadsNetwork, batch: Minibatch) -> dict[str, Tensor]:
        assert isinstance(main, HorizonNetwork)
        predicted = main.horizon(batch.state).squeeze(1)
        count = count_loss(predicted, self._count[batch.rows]).mean()
        return {**super().losses(main, other, batch), "count": self.config.count_weight * count}


def clicks_ahead(clicks: np.ndarray, last: np.ndarray) -> np.ndarray:
    """[n] float64: clicks from each row, included, to the end of its session; see `returns_to_go`."""
    return returns_to_go(clicks, last, 1.0)


def clicks_behind(clicks: np.ndarray, last: np.ndarray) -> np.ndarray:
    """[n] float64: clicks before each row in its session."""
    ahead, first = clicks_ahead(clicks, last), np.concatenate([[True], last[:-1]])
    began = np.maximum.accumulate(np.where(first, np.arange(len(last)), 0))
    return ahead[began] - ahead
