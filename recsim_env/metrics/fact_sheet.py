"""All stylised facts of one log in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recsim_env.metrics.click_facts import POPULARITY_CLICKS, ClickPopularity, PositionClicks, Repeats
from recsim_env.metrics.facts import Fact, Funnel, ReturnGaps, SessionLengths
from recsim_env.records import Event

if TYPE_CHECKING:
    from recsim_env.rollout import Impressions


class FactSheet:
    """Streams a log into every fact; what a log does not hold is left out of the result.

    Simulated impressions come through `update`; a reader of another log feeds the tallies themselves. One
    more fact is one more entry of its tally's `facts`, or one more tally here.

    Args:
        popularity_clicks: M, the first clicks of the log on which popularity is measured.

    Attributes:
        funnel, sessions, popularity, positions, repeats, return_gaps: the tallies.
    """

    def __init__(self, popularity_clicks: int = POPULARITY_CLICKS) -> None:
        self.funnel = Funnel()
        self.sessions = SessionLengths()
        self.popularity = ClickPopularity(popularity_clicks)
        self.positions = PositionClicks()
        self.repeats = Repeats()
        self.return_gaps = ReturnGaps()

    def update(self, batch: Impressions, topic: NDArray[np.int64]) -> None:
        """Add one batch of decisions of whole episodes, as `rollout` yields them: a user's steps in order.

        Args:
            batch: impressions.
            topic: [N] int64, each item's topic, from the public catalog.
        """
        clicked = (batch.events & Event.CLICK) != 0
        row, slot = np.nonzero(clicked)
        users, items = batch.user_id[row], batch.action[row, slot]
        funnel = self.funnel
        funnel.impressions += clicked.size
        funnel.steps += len(clicked)
        funnel.steps_with_click += int(np.count_nonzero(clicked.any(axis=1)))
        funnel.clicks += len(items)
        funnel.likes += int(np.count_nonzero(batch.events & Event.LIKE))
        funnel.purchases += int(np.count_nonzero(batch.events & Event.PURCHASE))
        self.positions.add(clicked)
        self.popularity.add(items)
        self.repeats.add(users, items, topic[items])
        episode_over = batch.terminated | batch.truncated
        over = batch.visit_ended | episode_over
        self.sessions.add(batch.step[over] + 1, ~batch.visit_ended[over])
        self.repeats.forget(batch.user_id[episode_over].tolist())
        away = batch.observation.get("hours_away")
        if away is not None:
            self.return_gaps.add(away[(batch.step == 0) & (away[:, 0] > 0), 0])

    def result(self) -> dict[str, Fact]:
        """Every fact by name; see the tallies of `facts` and `click_facts` for the definitions."""
        tallies = (
            self.funnel,
            self.sessions,
            self.popularity,
            self.positions,
            self.repeats,
            self.return_gaps,
        )
        return {name: fact for tally in tallies for name, fact in tally.facts().items()}
