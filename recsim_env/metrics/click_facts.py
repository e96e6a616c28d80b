"""Stylised facts of clicks: on which items, at which positions, and on what the user knew already."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from recsim_env.metrics.exposure import gini
from recsim_env.metrics.facts import Fact

HEAD_RANKS = 100
"""The head of a popularity curve: its slope is fitted over ranks 1 to this."""

POPULARITY_CLICKS = 5_000
"""Popularity is measured on so many clicks, the first of a log, since its figures grow with their number."""


class ClickPopularity:
    """How unequally the first clicks of a log fall on items, in memory that depends on their number only.

    Args:
        num_clicks: M; clicks after the first M are ignored, so that logs of any length compare.
    """

    def __init__(self, num_clicks: int = POPULARITY_CLICKS) -> None:
        self.num_clicks = num_clicks
        self.items = np.empty(num_clicks, np.int64)
        self.filled = 0

    def add(self, items: NDArray[np.int64]) -> None:
        """Add clicked items, in the order of time."""
        taken = items[: self.num_clicks - self.filled]
        self.items[self.filled : self.filled + len(taken)] = taken
        self.filled += len(taken)

    def counts(self) -> NDArray[np.int64]:
        """[n] clicks per clicked item, most clicked first."""
        return np.sort(np.unique(self.items[: self.filled], return_counts=True)[1])[::-1]

    def facts(self) -> dict[str, Fact]:
        """`head_slope` and `click_gini` on the first M clicks; nothing where the log has fewer.

        `head_slope`: minus the least-squares slope of log count on log rank over ranks 1 to `HEAD_RANKS`.
        `click_gini`: the Gini coefficient of clicks over the items that were clicked; who was never clicked
        is not in a click log, so unlike `exposure_gini` it leaves out zeros.

        Source: the rank-frequency law of Zipf (1949); `gini`.
        """
        counts = self.counts()
        if self.filled < self.num_clicks or len(counts) < HEAD_RANKS:
            return {}
        rank = np.arange(1, HEAD_RANKS + 1)
        slope = np.polyfit(np.log(rank), np.log(counts[:HEAD_RANKS]), 1)[0]
        return {"head_slope": Fact(float(-slope), self.filled), "click_gini": Fact(gini(counts), self.filled)}


class PositionClicks:
    """Clicks by position of the slate."""

    def __init__(self) -> None:
        self.shown = np.zeros(0, np.int64)
        self.clicked = np.zeros(0, np.int64)

    def add(self, clicked: NDArray[np.bool_]) -> None:
        """Add slates: [n, K], whether each position was clicked; K is the same throughout."""
        if not len(self.shown):
            self.shown, self.clicked = np.zeros((2, clicked.shape[1]), np.int64)
        self.shown += len(clicked)
        self.clicked += clicked.sum(axis=0)

    def relative_rates(self) -> NDArray[np.float64]:
        """[K] click rate at each position over that at position 0; NaN where position 0 has no click.

        Under the position model and equal items this is examination, (k + 1)^-gamma. Under the others it is
        not: the better items stand higher up, and clicks exclude one another.

        Source: Joachims et al. (2005), clicks by position; Richardson, Dominowska and Ragno (2007) for the
        examination hypothesis.
        """
        if not len(self.clicked) or not self.clicked[0]:
            return np.full(len(self.clicked), np.nan)
        return self.clicked / self.clicked[0]

    def facts(self) -> dict[str, Fact]:
        """`position_exponent`: minus the least-squares slope of log click rate on log (k + 1).

        Over the positions that have clicks, each with the same weight; left out when fewer than two have.

        Source: the examination (1 / rank)^eta of Joachims, Swaminathan and Schnabel (2017), fitted to clicks.
        """
        some = np.flatnonzero(self.clicked)
        if len(some) < 2:
            return {}
        slope = np.polyfit(np.log(some + 1.0), np.log(self.clicked[some]), 1)[0]
        return {"position_exponent": Fact(float(-slope), int(self.clicked.sum()))}


class Repeats:
    """How often users come back to what they have clicked before; keeps what the users of the day clicked."""

    def __init__(self) -> None:
        self.clicks = self.item_repeats = self.topic_repeats = 0
        self._items: dict[int, set[int]] = {}
        self._topics: dict[int, set[int]] = {}

    def add(self, users: NDArray[np.int64], items: NDArray[np.int64], topics: NDArray[np.int64]) -> None:
        """Add clicks [n], each user's in the order of time."""
        for user, item, topic in zip(users.tolist(), items.tolist(), topics.tolist(), strict=True):
            known_items, known_topics = (
                self._items.setdefault(user, set()),
                self._topics.setdefault(user, set()),
            )
            self.item_repeats += item in known_items
            self.topic_repeats += topic in known_topics
            known_items.add(item)
            known_topics.add(topic)
        self.clicks += len(users)

    def forget(self, users: Iterable[int]) -> None:
        """Drop the memory of users who do not come back."""
        for user in users:
            self._items.pop(user, None)
            self._topics.pop(user, None)

    def facts(self) -> dict[str, Fact]:
        """`item_repeat`, `topic_repeat`: the share of clicks on what the same user clicked before in the log.

        A user's first click counts as no repeat; what happened before the log began is unknown to it.

        Source: the repeat consumption of Anderson et al. (2014), pooled over users.
        """
        if not self.clicks:
            return {}
        repeats = {"item_repeat": self.item_repeats, "topic_repeat": self.topic_repeats}
        return {name: Fact(count / self.clicks, self.clicks) for name, count in repeats.items()}
