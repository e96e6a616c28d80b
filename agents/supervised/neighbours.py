"""Neighbour methods: controls without gradients that many neural recommenders do not beat.

    ItemKNN   items that are clicked by the same users as those in the history
    SKNN      items of the sessions most like this one

A session is the visible history at its first decision and the items clicked since. Symbols: B users, H
history, N items, S sessions.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from torch import Tensor

from agents.choices import Choices, Dates, choices_in, decide_by_score, saved_dates
from agents.learner import Learner
from agents.learning.batches import CLICK, session_ends
from agents.learning.log_data import spec_of_log, whole_log
from agents.learning.training import Progress
from agents.sampling import FloatArray, IntArray
from agents.spec import Observation, ObservationSpec
from recsim_env import Decision

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog
    from recsim_env.event_log import EventLog, LogFolder

ROWS = 256
"""Users scored at a time: their scores of all items, and similarities to all sessions, must be held."""


class NeighbourAgent(Learner):
    """Scores items by the visible history, and shows those with the highest scores; deterministic.

    Items of the history are shown last: they would score highest, and are not news (Ours). Ties, and users
    without history, go by base popularity.
    """

    learned = "arrays"

    arrays: dict[str, Tensor]
    dates: Dates | None

    @abstractmethod
    def learn_sessions(self, session: IntArray, item: IntArray) -> dict[str, Tensor]:
        """What `votes` needs, by name, from the distinct pairs of session and item, sorted by session.

        Args:
            session: [p] int64 from 0.
            item: [p] int64.
        """

    @abstractmethod
    def votes(self, history: Tensor) -> Tensor:
        """[B, N] float32 >= 0 from the visible history, [B, H] int64 with N for padding."""

    def fit(
        self,
        log: EventLog | LogFolder,
        public_catalog: PublicCatalog,
        *,
        seed: int,
        spec: ObservationSpec | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Count what was clicked together; nothing is random, so the seed does not matter.

        Raises:
            ValueError: the log and the catalog do not belong together, or the log is empty.
        """
        log = whole_log(log)
        self.belong_to(spec_of_log(log, public_catalog) if spec is None else spec, public_catalog)
        self.dates = Dates.of(public_catalog)
        session, item = sessions_of(log, self.spec.num_items)
        popularity = torch.from_numpy(np.argsort(np.argsort(public_catalog.base_popularity, kind="stable")))
        self.arrays = {"popularity": popularity, **self.learn_sessions(session, item)}
        if progress is not None:
            progress(1, 1, {"sessions": float(session.max(initial=-1) + 1)})
        return self

    def act(self, observation: Observation, generator: np.random.Generator) -> Decision:
        """The best choices of each user. Raises: as `score`."""
        self.check_observation(observation)
        return decide_by_score(self.score, observation, self.spec.num_items, self.spec.slate_size)

    @torch.inference_mode()
    def score(self, observation: Observation) -> tuple[FloatArray, Choices | None]:
        """Votes for what each user can be shown, far below zero for items of the visible history.

        Returns:
            ([B, n] float64, -inf for what is not on offer; the choices, None where every item is one).

        Raises:
            RuntimeError: the agent was neither fitted nor loaded.
            ValueError: the observation belongs to another scenario.
        """
        self.check_observation(observation)
        choices = choices_in(observation, self.spec.num_items, self.dates, self.spec.slate_size)
        score = self.affinity(observation)
        seen = np.pad(score, ((0, 0), (0, 1)))
        np.add.at(seen, (np.arange(len(score))[:, None], observation["history_items"]), -1e6)
        score = seen[:, : self.spec.num_items]
        if choices is None:
            return score, None
        if choices.numbered:
            score = np.take_along_axis(score, choices.items[choices.row], axis=1)
        return choices.score(score), choices

    def affinity(self, observation: Observation) -> FloatArray:
        """[B, N] float64: scores of all items, the history's too, ties broken by popularity."""
        history = torch.from_numpy(np.asarray(observation["history_items"], np.int64))
        tie = self.arrays["popularity"].double() / self.spec.num_items * 1e-9
        parts = [self.votes(rows).double() + tie for rows in history.split(ROWS)]
        return torch.cat(parts).numpy() if parts else np.empty((0, self.spec.num_items))

    def learned_arrays(self) -> Mapping[str, Tensor]:
        """What was counted, and when items are on offer."""
        return self.arrays | saved_dates(self.dates)

    def restore(self, arrays: Mapping[str, Tensor]) -> None:
        """The same counts."""
        self.dates = Dates.from_arrays(arrays)
        self.arrays = dict(arrays)


def sessions_of(log: EventLog, num_items: int) -> tuple[IntArray, IntArray]:
    """The distinct pairs of session and item of a log, sorted: [p] int64 each; see the module.

    Raises:
        ValueError: an empty log.
    """
    if len(log.action) == 0:
        raise ValueError("log: expected at least one decision, got none")
    ends = session_ends(log)
    first = np.concatenate([[True], ends[:-1]])
    number = np.cumsum(first) - 1
    row, slot = np.nonzero((log.events & CLICK) > 0)
    before = log.history_items[first].astype(np.int64)
    owner, place = np.nonzero(before < num_items)
    session = np.concatenate([number[row], owner])
    item = np.concatenate([log.action[row, slot].astype(np.int64), before[owner, place]])
    key = np.unique(session * num_items + item)
    return key // num_items, key % num_items


@dataclass(frozen=True)
class ItemKNNConfig:
    """Settings of item neighbours.

    Attributes:
        shrinkage: sessions added to the product of counts, so that similarities from few sessions are small.
    """

    shrinkage: float = 20.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.shrinkage < float("inf"):
            raise ValueError(f"shrinkage: expected a finite number of at least 0, got {self.shrinkage}")


class ItemKNN(NeighbourAgent):
    """The sum of an item's similarities to those in the visible history.

    similarity(a, b) = n_ab / (sqrt(n_a n_b) + shrinkage), n counting sessions; 0 of an item to itself

    Similarities are kept for all pairs, [N, N] float32: catalogs of more than 20,000 items are refused.

    Source: Sarwar et al. (2001), "Item-based collaborative filtering recommendation algorithms", cosine of
    binary vectors; regularised as in the item-KNN baseline of Hidasi et al. (2016).
    """

    name = "item-knn"
    config_class = ItemKNNConfig
    most_items = 20_000  # whose similarities take 1.6 GB

    def learn_sessions(self, session: IntArray, item: IntArray) -> dict[str, Tensor]:
        num_items = self.spec.num_items
        if num_items > self.most_items:
            raise ValueError(
                f"log: ItemKNN keeps all pairs of at most {self.most_items} items, got {num_items}"
            )
        start = np.flatnonzero(np.concatenate([[True], session[1:] != session[:-1]]))
        size = np.diff(np.append(start, len(session)))
        together = np.zeros(num_items * num_items, np.float32)
        # Pairs of items at each distance within the sorted items of a session.
        left = np.repeat(start + size, size) - np.arange(len(session))
        for distance in range(1, int(size.max(initial=0))):
            rows = np.flatnonzero(left > distance)
            pair = item[rows] * num_items + item[rows + distance]
            np.add.at(together, pair, np.float32(1))
        counts = together.reshape(num_items, num_items)
        counts += counts.T.copy()
        number = np.bincount(item, minlength=num_items).astype(np.float32)
        norm = np.sqrt(number[:, None] * number[None]) + self.config.shrinkage
        similarity = np.divide(counts, norm, out=np.zeros_like(counts), where=counts > 0)
        return {"similarity": torch.from_numpy(np.vstack([similarity, np.zeros((1, num_items), np.float32)]))}

    def votes(self, history: Tensor) -> Tensor:
        return torch.nn.functional.embedding_bag(history, self.arrays["similarity"], mode="sum")


@dataclass(frozen=True)
class SKNNConfig:
    """Settings of session neighbours; the numbers are those of Jannach and Ludewig (2017), section 3.

    Attributes:
        num_neighbours: k, sessions that vote.
        num_sessions: sessions among which neighbours are looked for: the last ones of the log. The paper
            takes the 1,000 most recent of those that share an item with the current one; users of a log
            have no order in time, so these are the last of all, and therefore more (Ours).
    """

    num_neighbours: int = 500
    num_sessions: int = 10_000

    def __post_init__(self) -> None:
        for name in ("num_neighbours", "num_sessions"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")


class SKNN(NeighbourAgent):
    """The k sessions most similar to the visible history vote for their items.

    similarity(s, n) = |s and n| / sqrt(|s| |n|);   score(a) = sum over neighbours n that hold a of similarity

    Source: Jannach and Ludewig (2017), "When recurrent neural networks meet the neighborhood for
    session-based recommendation", RecSys, section 2.2.
    """

    name = "sknn"
    config_class = SKNNConfig

    def learn_sessions(self, session: IntArray, item: IntArray) -> dict[str, Tensor]:
        count = int(session.max(initial=-1)) + 1
        kept = session >= count - self.config.num_sessions
        session, item = session[kept] - max(0, count - self.config.num_sessions), item[kept]
        size = np.bincount(session, minlength=1)
        place = np.arange(len(session)) - np.repeat(np.cumsum(size) - size, size)
        sessions = np.full((len(size), max(int(size.max()), 1)), self.spec.num_items)
        sessions[session, place] = item
        return {"sessions": torch.from_numpy(sessions)}

    def votes(self, history: Tensor) -> Tensor:
        sessions, num_items = self.arrays["sessions"], self.spec.num_items
        # [N + 1, B]: which items each user's history holds; padding is in none.
        held = torch.zeros(num_items + 1, len(history))
        held[history, torch.arange(len(history)).unsqueeze(1)] = 1
        held[num_items] = 0
        shared = torch.nn.functional.embedding_bag(sessions, held, mode="sum").T
        sizes = (sessions < num_items).sum(dim=1) * held.sum(dim=0).unsqueeze(1)
        similarity = shared / sizes.clamp(min=1).sqrt()
        nearest = similarity.topk(min(self.config.num_neighbours, len(sessions)), dim=1)
        voted = sessions[nearest.indices]
        votes = nearest.values.unsqueeze(2).expand(voted.shape)
        score = torch.zeros(len(history), num_items + 1)
        score.scatter_add_(1, voted.flatten(1), votes.flatten(1))
        return score[:, :num_items]
