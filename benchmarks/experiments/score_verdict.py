"""The score of *verdict*: from the results of single seeds to rows, findings and curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.aggregates import (
    improvement_interval,
    interquartile_mean,
    performance_profile,
)
from benchmarks.experiments.frame import Finding, Score, written
from benchmarks.experiments.normalised import (
    CEILING,
    FLOOR,
    PLANNING,
    Gap,
    as_interval,
    of_runs,
    percent,
    planned,
)
from benchmarks.experiments.paired import Difference, Twin, differences, of_twins
from benchmarks.rows import over_seeds, resampling, row
from benchmarks.statistics import Interval
from benchmarks.style import display_name
from benchmarks.summary import known_everywhere, metric_values

NAME = "verdict"
CONTROL_WORLD = "Memoryless-v0"
"""Where the myopic oracle is optimal. It is left out of what is said of all worlds together."""
EVERYWHERE = "all"
"""In place of a scenario: every world but the control, in which the same agents take part as in the first."""
METRICS = (
    "reward_per_user",
    "session_length",
    "return_rate",
    "churn_rate",
    "catalog_coverage",
    "action_entropy",
    "new_topics_per_user",
    "tail_share",
    "exposure_gini",
    "popularity_lift",
    "segment_reward_parity",
)
"""Where they have a value: users return, or come with a history, in some worlds only."""
FORESIGHT, SUPERVISION = "foresight", "more than supervision"
SHUFFLED, SUPERVISED = "sqn:shuffled_reward=true", "sqn:td_weight=0.0"
TWINS = [
    Twin("sqn", "sqn:gamma=0.0", FORESIGHT),
    Twin("sqn:acting_head=q", "sqn:acting_head=q,gamma=0.0", FORESIGHT),
    Twin("double-dqn", "double-dqn:gamma=0.0", FORESIGHT),
    Twin("snqn", "snqn:gamma=0.0", FORESIGHT),
    Twin("sa2c", "sa2c:gamma=0.0", FORESIGHT),
    Twin("ips", "ips:gamma=0.0", FORESIGHT),
    Twin("slateq", "slateq:gamma=0.0", FORESIGHT),
    Twin("dqn", "dqn:gamma=0.0", FORESIGHT),
    Twin("sqn", SHUFFLED, "rewards"),
    Twin("sqn", SUPERVISED, "the value head"),
    Twin("sqn", "sqn:bootstrap=logged", "the maximum in the target"),
    Twin("sqn:acting_head=q", "sqn", "acting by values"),
    Twin("ips", "ips:weighting=none", "importance weights"),
    *(
        Twin(agent, "next-item", SUPERVISION)
        for agent in ("sqn", "sqn:acting_head=q", "double-dqn", "snqn", "sa2c", "slateq", "ips")
    ),
    Twin("ips:slates=items,behaviour=estimated", "ips", "items of a slate as actions of their own"),
    Twin("sqn", "hist", "more than a horizon head"),
    Twin(SHUFFLED, SUPERVISED, "values of nothing"),
]
"""What every learner is held against; the p-values of a scenario are corrected for all of them."""
THRESHOLDS = np.linspace(-0.1, 1.0, 56)

Results = Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]
"""Scenario -> agent -> a result per seed: "metrics" of `score_agent`, or "gain" of the planning oracle."""


def score_results(results: Results) -> Score:
    """Rows, findings and curves of all results."""
    rows: list[dict[str, Any]] = []
    findings: list[Finding] = []
    gaps, rewards, compared = {}, {}, {}
    for scenario, of_agents in results.items():
        gaps[scenario] = Gap.of(scenario, of_agents)
        agents = [agent for agent in of_agents if agent != PLANNING]
        rewards[scenario] = {agent: metric_values(of_agents[agent], "reward_per_user") for agent in agents}
        compared[scenario] = of_twins(TWINS, rewards[scenario])
        rows += scenario_rows(scenario, of_agents, gaps[scenario])
        rows += [
            one.row(NAME, scenario, twin.agent, f"reward_minus_{twin.control}")
            for twin, one in compared[scenario].items()
        ]
        findings.append(order_finding(scenario, rewards[scenario], gaps[scenario]))
        if scenario != CONTROL_WORLD:
            findings += twin_findings(scenario, compared[scenario], gaps[scenario])
    controls = [
        *memoryless_findings(rewards.get(CONTROL_WORLD, {}), gaps.get(CONTROL_WORLD)),
        *shuffled_finding(rewards),
    ]
    shared = set(next(iter(results.values())))
    worlds = [
        scenario
        for scenario, of_agents in results.items()
        if scenario != CONTROL_WORLD and set(of_agents) == shared
    ]
    everywhere = across(worlds, rewards, gaps)
    rows = sorted(everywhere.rows + rows, key=lambda one: first_asked(one["metric"]))
    return Score(rows, controls + everywhere.findings + findings, everywhere.curves)


def first_asked(metric: str) -> int:
    """Place among the rows: a report shows the first of many."""
    return 0 if metric.startswith("normalised") else 1 if "minus" in metric or "prob" in metric else 2


def scenario_rows(
    scenario: str, of_agents: Mapping[str, Sequence[Mapping[str, Any]]], gap: Gap
) -> list[dict[str, Any]]:
    """Metrics of every agent; of the planning oracle those that are means per user."""
    rows = []
    for agent, of_seeds in of_agents.items():
        if agent == PLANNING:
            values = {metric: planned(of_agents, metric) for metric in ("reward_per_user", "session_length")}
        else:
            known = known_everywhere(of_seeds)
            values = {metric: metric_values(of_seeds, metric) for metric in METRICS if metric in known}
        share = gap.share(values["reward_per_user"])
        rows += [row(NAME, scenario, agent, metric, over_seeds(list(of))) for metric, of in values.items()]
        rows.append(row(NAME, scenario, agent, "normalised_score", share))
    return rows


def leaders(scores: Mapping[str, Interval], count: int) -> str:
    """The agents of highest score, with intervals; no oracle, and a control only if it is among them."""
    shown = {twin.agent for twin in TWINS} - {SHUFFLED}
    able = sorted((a for a in scores if a not in (FLOOR, CEILING)), key=lambda agent: -scores[agent].mean)
    learners = [agent for agent in able if ":" not in agent or agent in shown][:count]
    text = "; ".join(f"{display_name(agent)} {percent(scores[agent])}" for agent in learners)
    control = next((agent for agent in able if ":" in agent and agent not in shown), None)
    if control is None or scores[control].mean < scores[learners[-1]].mean:
        return text
    return f"{text} (and, a control, by {display_name(control)} {percent(scores[control])})"


def order_finding(scenario: str, reward: Mapping[str, np.ndarray], gap: Gap) -> Finding:
    """Which learners earn most, and how much there is to earn."""
    shares = {agent: gap.share(of_seeds) for agent, of_seeds in reward.items()}
    return Finding(
        f"{scenario}: between random (0) and the planning oracle (100%), a gap of "
        f"{written(over_seeds(list(gap.above)))} reward per user, the most is earned by "
        f"{leaders(shares, 3)}; the myopic oracle has {percent(shares[CEILING])}.",
        True,
    )


def twin_findings(scenario: str, compared: Mapping[Twin, Difference], gap: Gap) -> list[Finding]:
    """One for each learner and control."""
    return [
        Finding(
            f"{scenario}, {twin.asks}: {display_name(twin.agent)} {one.verdict} "
            f"{display_name(twin.control)}: {one.text}, {of_gap(one, gap)}.",
            one.shown,
        )
        for twin, one in compared.items()
        if twin.agent != SHUFFLED
    ]


def memoryless_findings(reward: Mapping[str, np.ndarray], gap: Gap | None) -> list[Finding]:
    """The first negative control: where nothing that is shown matters later, foresight earns nothing.

    P-values are corrected within a question only: others must not help to pass it.
    """
    if gap is None:
        return []
    findings = []
    for asks, control in ((FORESIGHT, "myopic twin (gamma 0)"), (SUPERVISION, "supervised twin (next-item)")):
        family = of_twins([twin for twin in TWINS if twin.asks == asks], reward)
        if not family:
            continue
        above = [twin for twin, one in family.items() if one.shown and one.interval.mean > 0]
        named = above or [max(family, key=lambda twin: family[twin].interval.mean)]
        text = "; ".join(f"{twin.text}: {family[twin].text}, {of_gap(family[twin], gap)}" for twin in named)
        if not above:
            said = (
                f"none of {len(family)} learners is shown to beat its {control}; the largest difference is "
            )
        elif asks == FORESIGHT:
            said = f"FAILS: some learners beat their {control}, which foresight cannot explain here: "
        else:
            said = (
                f"some learners beat their {control}, here for other reasons than foresight, "
                "and so perhaps elsewhere: "
            )
        findings.append(Finding(f"Negative control, {CONTROL_WORLD}: {said}{text}.", not above))
    return findings


def shuffled_finding(rewards: Mapping[str, Mapping[str, np.ndarray]]) -> list[Finding]:
    """The second negative control: values of shuffled rewards bring nothing over the supervised twin.

    P-values are corrected for the number of worlds only.
    """
    pairs = {
        scenario: (reward[SHUFFLED], reward[SUPERVISED])
        for scenario, reward in rewards.items()
        if SHUFFLED in reward and SUPERVISED in reward and len(reward[SHUFFLED]) > 1
    }
    family = dict(zip(pairs, differences(list(pairs.values())), strict=True))
    if not family:
        return []
    above = [scenario for scenario, one in family.items() if one.shown and one.interval.mean > 0]
    text = "; ".join(f"{scenario} {one.text}" for scenario, one in family.items())
    said = f"FAILS in {', '.join(above)}" if above else "is not shown to bring anything"
    return [
        Finding(
            "Negative control, shuffled rewards: a value head that has nothing to learn "
            f"{said} over the supervised twin ({display_name(SUPERVISED)}): {text}.",
            not above,
        )
    ]


def across(
    worlds: Sequence[str], rewards: Mapping[str, Mapping[str, np.ndarray]], gaps: Mapping[str, Gap]
) -> Score:
    """All worlds together: interquartile mean, performance profile, probability of improvement over twins."""
    if not worlds:
        return Score([], [], {"profiles": {}})
    above = np.stack([gaps[world].above for world in worlds], axis=1)
    rows, findings, profiles = [], [], {}
    iqm = {}
    for agent in rewards[worlds[0]]:
        gained = np.stack([rewards[world][agent] - gaps[world].floor for world in worlds], axis=1)
        iqm[agent] = as_interval(of_runs(gained, above, interquartile_mean), len(above))
        rows.append(row(NAME, EVERYWHERE, agent, "normalised_iqm", iqm[agent]))
        profile = of_runs(gained, above, lambda scores: performance_profile(scores, THRESHOLDS))
        profiles[agent] = {name: part.tolist() for name, part in profile._asdict().items()}
    if len(above) > 1 and len(worlds) > 1:  # of one world its own findings say more
        findings.append(Finding(f"Over {', '.join(worlds)}, by interquartile mean: {leaders(iqm, 4)}.", True))
        for twin in TWINS:
            if twin.agent in iqm and twin.control in iqm:
                chance, found = improvement(twin, worlds, rewards)
                rows.append(chance)
                findings.append(found)
    curves = {"thresholds": THRESHOLDS.tolist(), "profiles": profiles}
    return Score(rows, findings, curves)


def improvement(
    twin: Twin, worlds: Sequence[str], rewards: Mapping[str, Mapping[str, np.ndarray]]
) -> tuple[dict[str, Any], Finding]:
    """The probability that a run of the agent beats one of its control."""
    first, second = (
        np.stack([rewards[world][agent] for world in worlds], axis=1) for agent in (twin.agent, twin.control)
    )
    chance = as_interval(improvement_interval(first, second, resampling()), len(first))
    # Where the seeds of each world agree and the worlds do not, resampled seeds say nothing of the spread.
    known = chance.lower < chance.upper or chance.mean in (0.0, 1.0)
    shown = known and (chance.lower > 0.5 or chance.upper < 0.5)
    said = (
        written(chance) if known else f"{chance.mean:.2f}: the seeds of each world agree, the worlds do not"
    )
    reported = row(NAME, EVERYWHERE, twin.agent, f"improvement_prob_over_{twin.control}", chance)
    return reported, Finding(
        f"Over {', '.join(worlds)}, {twin.asks}: a run of {display_name(twin.agent)} beats one of "
        f"{display_name(twin.control)} with probability {said}.",
        shown,
    )


def of_gap(one: Difference, gap: Gap) -> str:
    """A difference as a share of the gap."""
    return f"{one.interval.mean / gap.above.mean():+.1%} of the gap"
