"""The score of *reward-design*: from the results of single seeds to rows and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from benchmarks.experiments.claims import Claim, judged
from benchmarks.experiments.frame import Finding, Score, written
from benchmarks.experiments.paired import differences
from benchmarks.experiments.serve import Q_HEAD
from benchmarks.rows import over_seeds, row
from benchmarks.style import display_name
from benchmarks.summary import known_everywhere

NAME = "reward-design"
CLICKS, PURCHASES, REVENUE = "clicks only", "purchases only", "revenue only"
SWEEP = 4
"""Rewards from the first on that are ordered by the weight of a purchase against that of a click."""
FIRST = {"clicks": "first_clicks", "purchases": "first_purchases", "revenue": "first_revenue"}
INTENDED = (("clicks", CLICKS, PURCHASES), ("purchases", PURCHASES, CLICKS), ("revenue", REVENUE, PURCHASES))
"""(amount, the reward that asks for it, another): the former should bring more of it."""
SIDE_EFFECT = ("revenue", PURCHASES, CLICKS)
OVER_SESSIONS = (
    ("clicks_per_user", CLICKS, PURCHASES),
    ("purchases_per_user", PURCHASES, CLICKS),
    ("revenue_per_user", REVENUE, PURCHASES),
    ("revenue_per_user", REVENUE, CLICKS),
    ("session_length", PURCHASES, CLICKS),
)
AGENTS = ("ips", "sqn" + Q_HEAD)
NOTES = {
    "myopic": " (a check of the setup)",
    "sqn": " (whose loss knows no reward)",
}
"""Arms that answer another question than the agents do: theirs are corrected apart."""
ARMS = (*AGENTS, *NOTES)
SHUFFLED = tuple(f"{agent}:shuffled_reward=true{ending}" for agent, ending in (("ips", ""), ("sqn", Q_HEAD)))
METRICS = (
    *("first_clicks", "first_purchases", "first_revenue", "first_price"),
    *("clicks_per_user", "likes_per_user", "purchases_per_user", "revenue_per_user", "session_length"),
    *("reward_per_user", "catalog_coverage", "exposure_gini", "tail_share"),
)

Values = Mapping[tuple[str, str, str], np.ndarray]
"""(arm, reward, metric) -> [R] float64."""
Results = Mapping[str, Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]]
"""Scenario -> (arm, reward) -> what `reward_design.score_reward` says of it, for each seed."""


def score_results(results: Results, rewards: Sequence[str], references: Sequence[str]) -> Score:
    """Rows of every arm and reward; what moved as intended; what came of it; the controls."""
    rows: list[dict[str, Any]] = []
    findings: list[Finding] = []
    for scenario, of_arms in results.items():
        values = values_of(of_arms)
        for (arm, reward, metric), of_seeds in values.items():
            name = arm if arm in references else f"{arm}, {reward}"
            rows.append(row(NAME, scenario, name, metric, over_seeds(of_seeds)))
        agents = [arm for arm in AGENTS if (arm, CLICKS) in of_arms]
        families = [
            ([claim for arm in agents for claim in intended(scenario, arm, values, rewards)], 4),
            ([claim for arm in agents for claim in over_sessions(scenario, arm, values)], 2),
            *((intended(scenario, arm, values, rewards), 4) for arm in NOTES if (arm, CLICKS) in of_arms),
        ]
        for claims, digits in families:
            compared, found = judged(NAME, scenario, claims, digits)
            rows += compared
            findings += found
        findings += nothing_to_learn(scenario, values)
    return Score(rows, findings, {})


def values_of(of_arms: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]) -> Values:
    """The metrics that are reported, for each arm and reward; those of the first decision as `first_...`."""
    values = {}
    for (arm, reward), of_seeds in of_arms.items():
        known = known_everywhere(of_seeds)
        for metric in METRICS:
            part, name = ("first", metric[6:]) if metric.startswith("first_") else ("metrics", metric)
            if part == "first" or name in known:
                values[arm, reward, metric] = np.array([one[part][name] for one in of_seeds], np.float64)
    return values


def intended(scenario: str, arm: str, values: Values, rewards: Sequence[str]) -> list[Claim]:
    """What an agent does at the first decision: each amount where it is asked for, and along the sweep."""
    who = f"{scenario}, {told(arm)}{NOTES.get(arm, '')}, first decision"
    claims = []
    for amount, reward, other in (*INTENDED, SIDE_EFFECT):
        aim = "" if (amount, reward, other) == SIDE_EFFECT else " (meant to be above)"
        claims.append(
            Claim(
                f"{arm}, {reward}",
                f"{FIRST[amount]}_minus_{other}",
                f"{who}: expected {amount} when paid for '{reward}' {{verdict}} those when paid for "
                f"'{other}'{aim}",
                values[arm, reward, FIRST[amount]],
                values[arm, other, FIRST[amount]],
            )
        )
    bought = np.stack([values[arm, reward, FIRST["purchases"]] for reward in rewards[:SWEEP]])
    pairs = combinations(range(SWEEP), 2)
    concordance = np.mean([np.sign(bought[more] - bought[less]) for less, more in pairs], axis=0)
    claims.append(
        Claim(
            arm,
            "kendall_purchases_with_their_weight",
            f"{who}: rank correlation (Kendall's) of expected purchases with their weight in the reward "
            "{verdict} 0 (meant to be above)",
            concordance,
            np.zeros(len(concordance)),
        )
    )
    return claims


def over_sessions(scenario: str, arm: str, values: Values) -> list[Claim]:
    """What comes of it per user, where nothing is meant: rewards also decide how long users stay."""
    return [
        Claim(
            f"{arm}, {reward}",
            f"{metric}_minus_{other}",
            f"{scenario}, {told(arm)}, whole sessions: {metric.replace('_', ' ')} when paid for '{reward}' "
            f"{{verdict}} that when paid for '{other}'",
            values[arm, reward, metric],
            values[arm, other, metric],
        )
        for metric, reward, other in OVER_SESSIONS
    ]


def nothing_to_learn(scenario: str, values: Values) -> list[Finding]:
    """The negative control: which of two shuffled rewards an agent was given must not move it."""
    amounts = [
        (arm, amount)
        for arm in SHUFFLED
        for amount in ("clicks", "purchases")
        if (arm, CLICKS, FIRST[amount]) in values
    ]
    if not amounts or len(values[amounts[0][0], CLICKS, "first_clicks"]) < 2:
        return []
    pairs = [
        tuple(values[arm, reward, FIRST[amount]] for reward in (CLICKS, PURCHASES)) for arm, amount in amounts
    ]
    found = dict(zip(amounts, differences(pairs), strict=True))  # type: ignore[arg-type]
    text = "; ".join(
        f"{told(arm)}, {amount} {written(one.interval, 4)} (Holm p = {one.p:.3f})"
        for (arm, amount), one in found.items()
    )
    moved = any(one.shown for one in found.values())
    said = "FAILS: it moves" if moved else "is not shown to move"
    return [
        Finding(
            f"Negative control, {scenario}: a reward that is shuffled among all decisions {said} what agents "
            f"do at the first, '{CLICKS}' against '{PURCHASES}': {text}.",
            not moved,
        )
    ]


def told(arm: str) -> str:
    """What a reader calls an arm."""
    agent, head, _ = arm.partition(Q_HEAD)
    return display_name(agent) + (head or (", next-item head" if agent == "sqn" else ""))
