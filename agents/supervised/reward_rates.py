"""Rewards per impression in a log, and the topics that a user shows: what is known without a network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from torch import Tensor

from agents.choices import Choices, Dates, choices_in, decide_by_score, saved_dates
from agents.learner import Learner
from agents.learning.batches import CLICK, share_reward
from agents.learning.log_data import spec_of_log, whole_log
from agents.learning.training import Progress
from agents.loggers.topic_utility import topic_share
from agents.sampling import FloatArray, IntArray
from agents.spec import Observation, ObservationSpec
from recsim_env import Decision

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog
    from recsim_env.event_log import EventLog, LogFolder

ARRAYS = ("topic", "item_utility", "segment_utility")


@dataclass(frozen=True)
class RewardRatesConfig:
    """Settings of reward rates.

    Attributes:
        topic_weight: utility of a topic that fills the whole visible history.
        item_weight, segment_weight: utility of one unit of the log rate of an item, and of a topic in the
            user's segment.
        prior_impressions: impressions at the overall rate that are added to every count, so that rates from
            few are near it; above 0.
    """

    topic_weight: float = 6.0
    item_weight: float = 1.0
    segment_weight: float = 1.0
    prior_impressions: float = 100.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not math.isfinite(value):
                raise ValueError(f"{name}: expected a finite number, got {value}")
        if self.prior_impressions <= 0:
            raise ValueError(f"prior_impressions: expected above 0, got {self.prior_impressions}")


class RewardRates(Learner):
    """Shows the items of the highest utility; deterministic, ties go to the smaller id.

    utility(u, a) = topic_weight * share of topic(a) in the visible history of u
                    + item_weight * log(r_a / r) + segment_weight * log(r_{s(u), topic(a)} / r)

    r_a and r_{s, c} are the reward per impression of item a, and of items of topic c in segment s, with
    ``prior_impressions`` at the overall rate r added to both counts, and r / 100 at least. A decision's
    reward is shared by its clicked slots.

    It imitates: the rates of what was shown to those who like it are too high, and are not corrected. What
    it has counted grows stale when tastes or appeal drift.

    Source: Ours; additive smoothing of counts.
    """

    name = "reward-rates"
    config_class = RewardRatesConfig
    learned = "topic"

    dates: Dates | None
    topic: IntArray
    item_utility: FloatArray
    segment_utility: FloatArray

    def fit(
        self,
        log: EventLog | LogFolder,
        public_catalog: PublicCatalog,
        *,
        seed: int,
        spec: ObservationSpec | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Count impressions and add up rewards; nothing is random, so the seed does not matter.

        Raises:
            ValueError: the log and the catalog do not belong together, or the log is empty or earned nothing.
        """
        log = whole_log(log)
        if len(log.action) == 0:
            raise ValueError("log: expected at least one decision, got none")
        self.belong_to(spec_of_log(log, public_catalog) if spec is None else spec, public_catalog)
        self.dates = Dates.of(public_catalog)
        self.topic = np.array(public_catalog.topic, np.int64)
        num_topics, shape = self.num_topics, log.action.shape
        item = log.action.astype(np.int64)
        cell = log.segment.astype(np.int64)[:, None] * num_topics + self.topic[item]
        earned = share_reward(np.asarray(log.reward, np.float64), (log.events & CLICK) > 0)
        overall = float(earned.mean())
        if overall <= 0:
            raise ValueError(f"log.reward: expected a mean above 0, got {overall:g}")
        weights = (self.config.item_weight, self.config.segment_weight)
        sizes = (self.spec.num_items, self.spec.num_segments * num_topics)
        of_item, of_cell = (
            weight * np.log(self._rates(key.ravel(), earned.ravel(), size, overall) / overall)
            for weight, key, size in zip(weights, (item, cell), sizes, strict=True)
        )
        self.item_utility, self.segment_utility = of_item, of_cell.reshape(-1, num_topics)
        if progress is not None:
            progress(1, 1, {"impressions": float(math.prod(shape)), "reward_rate": overall})
        return self

    def _rates(self, key: IntArray, earned: FloatArray, size: int, overall: float) -> FloatArray:
        """[size] float64 above 0: smoothed reward per impression by key."""
        prior = self.config.prior_impressions
        total, shown = np.bincount(key, earned, size), np.bincount(key, minlength=size)
        rates: FloatArray = np.maximum((total + prior * overall) / (shown + prior), overall / 100)
        return rates

    def act(self, observation: Observation, generator: np.random.Generator) -> Decision:
        """The best choices of each user. Raises: as `score`."""
        self.check_observation(observation)
        return decide_by_score(self.score, observation, self.spec.num_items, self.spec.slate_size)

    def score(self, observation: Observation) -> tuple[FloatArray, Choices | None]:
        """Utilities of what each user can be shown.

        Returns:
            ([B, n] float64, -inf for what is not on offer; the choices, None where every item is one).

        Raises:
            RuntimeError: the agent was neither fitted nor loaded.
            ValueError: the observation belongs to another scenario.
        """
        self.check_observation(observation)
        choices = choices_in(observation, self.spec.num_items, self.dates, self.spec.slate_size)
        share = topic_share(observation["history_items"], self.topic, self.segment_utility.shape[1])
        segment = np.asarray(observation["segment"], np.int64).reshape(-1)
        of_topic = self.config.topic_weight * share + self.segment_utility[segment]
        if choices is not None and choices.numbered:
            items = choices.items[choices.row]
            score = np.take_along_axis(of_topic, self.topic[items], axis=1) + self.item_utility[items]
        else:
            score = of_topic[:, self.topic] + self.item_utility
        return (score if choices is None else choices.score(score)), choices

    def learned_arrays(self) -> Mapping[str, Tensor]:
        """Utilities, the items' topics, and when items are on offer."""
        own = {name: torch.from_numpy(getattr(self, name)) for name in ARRAYS}
        return own | saved_dates(self.dates)

    def restore(self, arrays: Mapping[str, Tensor]) -> None:
        """The same utilities."""
        self.dates = Dates.from_arrays(arrays)
        for name in ARRAYS:
            setattr(self, name, arrays[name].numpy())
