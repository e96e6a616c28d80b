"""The score of *long-run*: from the results of single seeds to rows, findings and curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.experiments.frame import Finding, Score, written
from benchmarks.experiments.paired import Difference, differences
from benchmarks.rows import over_seeds, row
from benchmarks.statistics import Interval
from benchmarks.style import display_name
from benchmarks.summary import CEILING, FLOOR, metric_values

NAME = "long-run"
CUTOFF = 10
ACCURACIES = (f"hr@{CUTOFF}", f"ndcg@{CUTOFF}")
METRICS = ("reward_per_user", "session_length")
REFERENCES = (FLOOR, CEILING)
"""They read nothing of a log, and have no next-item accuracy."""
RANKED = "all ranked"
"""In place of an agent."""
CORRELATIONS: dict[str, Callable[..., Any]] = {"kendall": stats.kendalltau, "spearman": stats.spearmanr}

Results = Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]
"""Scenario -> agent -> a result per seed, of `long_run.score_agent`."""


def swept(gammas: Sequence[float]) -> dict[str, list[str]]:
    """Family -> its agents, one for each gamma, gamma 0 first."""
    return {
        "sqn": [f"sqn:acting_head=q,gamma={gamma}" for gamma in gammas],
        "double-dqn": [f"double-dqn:gamma={gamma}" for gamma in gammas],
    }


def score_results(
    results: Results, ranked: Sequence[str], gammas: Sequence[float], horizons: Sequence[int]
) -> Score:
    """Rows and findings of all results."""
    rows: list[dict[str, Any]] = []
    findings: list[Finding] = []
    for scenario, of_agents in results.items():
        for agent, of_seeds in of_agents.items():
            metrics = METRICS if agent in REFERENCES else (*METRICS, *ACCURACIES)
            values = {metric: metric_values(of_seeds, metric) for metric in metrics}
            values |= {reward_name(horizon): reward_until(of_seeds, horizon) for horizon in horizons}
            rows += [
                row(NAME, scenario, agent, metric, over_seeds(list(of))) for metric, of in values.items()
            ]
        for part in (
            foresight(scenario, of_agents, gammas, horizons),
            beyond_myopia(scenario, of_agents, gammas),
            agreement(scenario, {agent: of_agents[agent] for agent in ranked}),
        ):
            rows += part[0]
            findings += part[1]
    return Score(rows, findings, {})


def reward_name(horizon: int | None) -> str:
    """Metric of the reward per user over the first decisions, or all."""
    return "reward_per_user" if horizon is None else f"reward_first_{horizon}"


def reward_until(of_seeds: Sequence[Mapping[str, Any]], horizon: int | None) -> np.ndarray:
    """[R] float64: reward per user over the first so many decisions; over all, where nobody stays so long."""
    if horizon is None:
        return metric_values(of_seeds, "reward_per_user")
    curves = [one["cumulative_reward"] for one in of_seeds]
    return np.array([curve[min(horizon, len(curve)) - 1] for curve in curves], np.float64)


def foresight(
    scenario: str,
    of_agents: Mapping[str, Sequence[Mapping[str, Any]]],
    gammas: Sequence[float],
    horizons: Sequence[int],
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Every gamma against gamma 0 of the same learner, over every horizon; corrected for all of a learner."""
    rows: list[dict[str, Any]] = []
    findings: list[Finding] = []
    if len(next(iter(of_agents.values()))) < 2:
        return rows, findings
    for family, (myopic, *others) in swept(gammas).items():
        cells = [(horizon, agent) for horizon in (*horizons, None) for agent in others]
        pairs = [
            (reward_until(of_agents[agent], horizon), reward_until(of_agents[myopic], horizon))
            for horizon, agent in cells
        ]
        found = dict(zip(cells, differences(pairs), strict=True))
        rows += [
            one.row(NAME, scenario, agent, f"{reward_name(horizon)}_minus_gamma_0")
            for (horizon, agent), one in found.items()
        ]
        findings.append(foresight_finding(scenario, family, found))
    return rows, findings


def foresight_finding(
    scenario: str, family: str, found: Mapping[tuple[int | None, str], Difference]
) -> Finding:
    """What every gamma changes over every horizon, in one sentence; a star marks what is shown."""
    parts = []
    for horizon in dict.fromkeys(horizon for horizon, _ in found):
        span = "whole session" if horizon is None else f"first {horizon} decisions"
        changes = [
            f"{gamma_of(agent)} {written(one.interval)}{'*' if one.shown else ''}"
            for (of, agent), one in found.items()
            if of == horizon
        ]
        parts.append(f"{span}: {', '.join(changes)}")
    shown = any(one.shown for one in found.values())
    return Finding(
        f"{scenario}, {display_name(family)} acting by values, reward per user minus that of gamma 0: "
        f"{'; '.join(parts)}. {'* shown after Holm.' if shown else 'None is shown after Holm.'}",
        shown,
    )


def beyond_myopia(
    scenario: str, of_agents: Mapping[str, Sequence[Mapping[str, Any]]], gammas: Sequence[float]
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Every learner of the sweeps against the oracle of the next reward; corrected for all of them."""
    agents = [agent for family in swept(gammas).values() for agent in family]
    oracle = metric_values(of_agents[CEILING], "reward_per_user")
    if len(oracle) < 2:
        return [], []
    pairs = [(metric_values(of_agents[agent], "reward_per_user"), oracle) for agent in agents]
    found = dict(zip(agents, differences(pairs), strict=True))
    rows = [one.row(NAME, scenario, agent, f"reward_minus_{CEILING}") for agent, one in found.items()]
    above = [agent for agent, one in found.items() if one.shown and one.interval.mean > 0]
    named = above or [max(found, key=lambda agent: found[agent].interval.mean)]
    text = "; ".join(f"{display_name(agent)} {found[agent].text}" for agent in named)
    said = f"{len(above) or 'none'} of {len(agents)} learners acting by values"
    return rows, [
        Finding(
            f"{scenario}: shown to earn more than the myopic oracle: {said}. It has "
            f"{written(over_seeds(list(oracle)))} over the whole session (random items: "
            f"{written(over_seeds(list(metric_values(of_agents[FLOOR], 'reward_per_user'))))}); "
            f"{'' if above else 'nearest comes '}{text}.",
            bool(above),
        )
    ]


def gamma_of(agent: str) -> str:
    """The setting of gamma in a specification, for readers."""
    return f"gamma {agent.rpartition('gamma=')[2]}"


def agreement(
    scenario: str, of_agents: Mapping[str, Sequence[Mapping[str, Any]]]
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Rank correlation, over agents, of next-item accuracy and reward: one for each seed.

    Kendall's tau-b and Spearman's rho; an accuracy that is the same for all agents has none.
    """
    names = list(of_agents)
    reward = np.stack([metric_values(of_seeds, "reward_per_user") for of_seeds in of_agents.values()])
    rows, findings = [], []
    for accuracy in ACCURACIES:
        found = np.stack([metric_values(of_seeds, accuracy) for of_seeds in of_agents.values()])
        if not (np.ptp(found, axis=0).all() and np.ptp(reward, axis=0).all()):
            continue
        alike = {
            name: over_seeds(
                [float(correlation(*pair).statistic) for pair in zip(found.T, reward.T, strict=True)]
            )
            for name, correlation in CORRELATIONS.items()
        }
        rows += [row(NAME, scenario, RANKED, f"{name}_{accuracy}", one) for name, one in alike.items()]
        chosen, best = found.mean(axis=1).argmax(), reward.mean(axis=1).argmax()
        tau, rho = (cut(alike[name]) for name in CORRELATIONS)
        said = (
            "alike" if tau.lower > 0 else "the other way round" if tau.upper < 0 else "not shown to be alike"
        )
        findings.append(
            Finding(
                f"{scenario}: how {accuracy} on held-out clicks and reward per user rank {len(names)} agents "
                f"is {said}: Kendall's tau {written(tau)}, Spearman's rho {written(rho)}. The "
                f"most accurate is {display_name(names[chosen])}, with {reward[chosen].mean():.2f} reward "
                f"per user; the most is earned by {display_name(names[best])}, {reward[best].mean():.2f}.",
                bool(tau.lower > 0 or tau.upper < 0),
            )
        )
    return rows, findings


def cut(correlation: Interval) -> Interval:
    """A correlation whose interval stays within -1 and 1."""
    return correlation._replace(lower=max(correlation.lower, -1.0), upper=min(correlation.upper, 1.0))
