"""Fitting and ranking of *next-item*: which place an agent gives to what users did next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.experiments.next_item_data import Interactions, as_log, public_catalog
from recsim_env.metrics import hit_rate, ndcg, ranks_of

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog
    from recsim_env.event_log import EventLog

CUTOFFS = (5, 10, 20)
KINDS = ("click", "purchase")
METRICS = [f"{kind}_{name}@{k}" for kind in KINDS for name in ("hr", "ndcg") for k in CUTOFFS]
MOST_SCORES = 2**23
"""Scores of items in memory at a time."""
LOOKED_AT = 5_000
"""Interactions of validation sessions that a look reads, evenly spaced."""
DRAWS = 2
"""Second part of the seed by which ties are broken."""

Scorer = Callable[[Mapping[str, np.ndarray]], np.ndarray]
"""Observations [b, ...] -> [b, N] scores of all items."""


def fit_scorer(
    agent: str,
    train: Interactions,
    validation: Interactions,
    epochs: float,
    seed: int,
    report: Callable[[float], None],
) -> Scorer:
    """An agent, by specification, that has learned from the training sessions.

    Learners with gradients make `epochs` passes, are looked at after each (after 50 updates, where passes are
    shorter), and keep the weights whose NDCG@10 on the validation sessions, clicks and purchases together,
    was best.
    """
    from agents import AGENTS, AgentSpec
    from agents.learning.offline import OfflineAgent
    from agents.supervised.neighbours import NeighbourAgent

    catalog = public_catalog(train)
    spec = AgentSpec.parse(agent)
    kind = AGENTS[spec.name]
    if spec.name == "popular":
        return lambda observation: np.tile(catalog.base_popularity, (len(observation["segment"]), 1))
    if issubclass(kind, NeighbourAgent):
        neighbours = spec.make().fit(as_log(train), catalog, seed=seed)
        return neighbours.affinity  # users come back to items, which `act` puts last
    if not issubclass(kind, OfflineAgent):
        raise ValueError(f"agent: expected one that learns from a log, or popular, got {agent!r}")
    learner = AgentSpec.parse(agent, {"epochs": epochs}).make()
    return _fit_best(learner, as_log(train), catalog, validation, epochs, seed, report)


def _fit_best(
    learner: Any,
    log: EventLog,
    catalog: PublicCatalog,
    validation: Interactions,
    epochs: float,
    seed: int,
    report: Callable[[float], None],
) -> Scorer:
    from agents.learning.training import Best

    best, looked = Best(), 0
    spaced = np.linspace(0, len(validation.item) - 1, min(LOOKED_AT, len(validation.item))).astype(int)
    held = as_log(validation)

    def score(observation: Mapping[str, np.ndarray]) -> np.ndarray:
        scores: np.ndarray = learner.score(observation)[0]
        return scores

    def look(step: int, total: int, metrics: Mapping[str, float]) -> None:
        nonlocal looked
        report(step / total)
        if step < total and step * epochs / total < looked + 1:
            return
        looked += 1
        value = ndcg(ranks(score, validation, held, spaced, seed), 10)
        best.look(value, step, learner.network.state_dict())

    learner.fit(log, catalog, seed=seed, progress=look)
    learner.network.load_state_dict(best.weights)
    return score


def ranks(score: Scorer, data: Interactions, log: EventLog, rows: np.ndarray, seed: int) -> np.ndarray:
    """[n] int64: the place of each row's item among all items; ties by lot.

    Args:
        score: of the agent.
        data: what users did; log: the same `as_log`, which holds what the agent sees.
        rows: [n] int64, n >= 1.
        seed: of the lots.
    """
    generator, size = np.random.default_rng([seed, DRAWS]), max(1, MOST_SCORES // data.num_items)
    return np.concatenate(
        [
            ranks_of(score(log.observation(part)), data.item[part], generator)
            for part in np.split(rows, range(size, len(rows), size))
        ]
    )


def accuracy(score: Scorer, test: Interactions, seed: int) -> dict[str, float]:
    """HR and NDCG by kind and cut-off, such as `purchase_ndcg@10`; and how many were ranked, `purchases`.

    Every interaction of a session is ranked, the first of it too, given those before it, among all items.

    Raises:
        ValueError: there is none of a kind.
    """
    place = ranks(score, test, as_log(test), np.arange(len(test.item)), seed)
    found: dict[str, float] = {}
    for kind, chosen in zip(KINDS, (~test.purchase, test.purchase), strict=True):
        if not chosen.any():
            raise ValueError(f"test: expected at least one {kind} in the test sessions, got none")
        for k in CUTOFFS:
            found[f"{kind}_hr@{k}"] = hit_rate(place[chosen], k)
            found[f"{kind}_ndcg@{k}"] = ndcg(place[chosen], k)
        found[f"{kind}s"] = float(chosen.sum())
    return found
