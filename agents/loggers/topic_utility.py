"""What policies share whose utility is made of visible topics and popularity: state, choices, files."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch

from agents.choices import Choices, Dates, choices_in, saved_dates
from agents.sampling import FloatArray, IntArray
from agents.spec import Observation, catalog_fingerprint, check_catalog, check_sizes
from agents.storage import load_agent, save_agent

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog


def check_settings(settings: dict[str, float]) -> None:
    """Raise ValueError unless all are finite and the share of exploration, ``epsilon``, is in [0, 1]."""
    for name, value in settings.items():
        if not math.isfinite(value):
            raise ValueError(f"{name}: expected a finite number, got {value}")
    if not 0.0 <= settings["epsilon"] <= 1.0:
        raise ValueError(f"epsilon: expected in [0, 1], got {settings['epsilon']}")


def topic_share(items: IntArray, topic: IntArray, num_topics: int) -> FloatArray:
    """Share of each topic among some items of each user: [B, C] float64, 0 where there are none.

    Args:
        items: [B, H] integers in [0, N], of which N stands for none.
        topic: [N] int64 in [0, C).
        num_topics: C.

    Raises:
        ValueError: an item is beyond N.
    """
    num_items, batch = len(topic), len(items)
    if items.size and items.max() > num_items:
        raise ValueError(
            f"observation['history_items']: expected in [0, {num_items}], got {int(items.max())}"
        )
    flat = np.append(topic, num_topics)[items] + (num_topics + 1) * np.arange(batch)[:, None]
    counts = np.bincount(flat.ravel(), minlength=batch * (num_topics + 1))
    counts = counts.reshape(batch, num_topics + 1)[:, :-1]
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


class TopicUtilityPolicy(ABC):
    """utility(a) = topic_weight * share of topic(a) in the visible history + popularity_weight * log pi_a.

    Args:
        catalog: public catalog.
        slate_size: K.
        config: of the policy's own `config_class`; its defaults if None.
    """

    name: str
    needs_state: ClassVar[bool] = False
    config_class: ClassVar[type[Any]]
    config: Any

    def __init__(self, catalog: PublicCatalog, slate_size: int = 1, config: Any = None) -> None:
        self.fingerprint = catalog_fingerprint(catalog)
        self._set(
            np.log(np.asarray(catalog.base_popularity, dtype=np.float64)),
            np.array(catalog.topic, dtype=np.int64),
            int(catalog.num_topics),
            slate_size,
            self.config_class() if config is None else config,
            Dates.of(catalog),
        )

    def _set(
        self,
        log_popularity: FloatArray,
        topic: IntArray,
        num_topics: int,
        slate_size: int,
        config: Any,
        dates: Dates | None,
    ) -> None:
        if not 1 <= slate_size <= len(topic):
            raise ValueError(f"slate_size: expected in [1, {len(topic)}], got {slate_size}")
        self.config, self.slate_size, self.dates = config, slate_size, dates
        self.log_popularity, self.topic, self.num_topics = log_popularity, topic, num_topics
        self._prepare()

    @abstractmethod
    def _prepare(self) -> None:
        """Compute once what every decision needs."""

    def topic_share(self, observation: Observation) -> FloatArray:
        """[B, C] float64: share of each topic in the visible history; 0 for an empty one.

        Raises:
            ValueError: the history has an item beyond N, which stands for none, or slates another size.
        """
        check_sizes(observation, len(self.topic), self.slate_size)
        return topic_share(observation["history_items"], self.topic, self.num_topics)

    def choices(self, observation: Observation) -> Choices | None:
        """What each user can be shown; None when that is every item, always."""
        return choices_in(observation, len(self.topic), self.dates, self.slate_size)

    def check_catalog(self, public_catalog: PublicCatalog) -> None:
        """Raise ValueError when `public_catalog` is not the one that the policy was made with."""
        check_catalog(public_catalog, self.fingerprint)

    def save(self, folder: str | Path) -> None:
        """Write the policy to a folder."""
        card = {
            "config": asdict(self.config),
            "slate_size": self.slate_size,
            "num_topics": self.num_topics,
            "catalog": self.fingerprint,
        }
        arrays = {
            "log_popularity": torch.from_numpy(self.log_popularity),
            "topic": torch.from_numpy(self.topic),
            **saved_dates(self.dates),
        }
        save_agent(folder, type(self).__name__, card, arrays)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a policy that `save` wrote."""
        card, arrays = load_agent(folder, cls.__name__)
        policy = cls.__new__(cls)
        policy.fingerprint = card["catalog"]
        policy._set(
            arrays["log_popularity"].numpy(),
            arrays["topic"].numpy(),
            card["num_topics"],
            card["slate_size"],
            cls.config_class(**card["config"]),
            Dates.from_arrays(arrays),
        )
        return policy
