"""*offline*: what learning from logs depends on, and what estimates from logs are worth.

How long the log is, how much of the catalog its policy supports, how good that policy is; corrections by
propensities against values; and off-policy estimates of the learned policies beside what they truly earn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import ope
from benchmarks.experiments.claims import Claim, judged
from benchmarks.experiments.frame import Definition, Finding, Score, Size
from benchmarks.experiments.offline_estimates import MEASURES, estimate_claims, estimate_quality, scatter
from benchmarks.experiments.offline_figures import draw
from benchmarks.experiments.offline_task import ESTIMATORS, Arm, learn_and_estimate, serve_policy
from benchmarks.rows import over_seeds, row
from benchmarks.statistics import gap_share
from benchmarks.tasks import Task

NAME = "offline"
LEARNERS: dict[str, tuple[str, str | None]] = {
    "ips recorded": ("ips", None),
    "ips estimated": ("ips:behaviour=estimated", None),
    "ips uncorrected": ("ips:weighting=none", None),
    "sqn ce": ("sqn", "ce"),
    "sqn q": ("sqn", "q"),
    "cql": ("cql", None),
    "next-item": ("next-item", None),
}
"""Name -> specification, and the head that acts of a learner that is trained once for two."""
CONTESTS = (
    ("ips recorded", "ips uncorrected"),
    ("ips recorded", "ips estimated"),
    ("sqn q", "ips recorded"),
    ("cql", "ips recorded"),
    ("next-item", "ips recorded"),
    ("sqn ce", "sqn q"),
)
"""Learners that are compared on the same log."""
POLICIES = {
    **{f"softmax {value:g}": f"softmax:temperature={value:g}" for value in (0.03, 0.1, 0.3, 1.0)},
    "uniform": "uniform",
    "popularity": "popularity",
    "logging": "logging",
    "epsilon-greedy": "epsilon-greedy:epsilon=0.2",
}
BASE = "logging"
"""The logging policy of the sweep over sizes."""
FLOOR, CEILING = "uniform", "myopic"
SUPPORTS = [name for name in POLICIES if name.startswith("softmax")] + ["uniform"]
QUALITIES = ["popularity", "logging", "epsilon-greedy"]
SIZES: dict[str, Size] = {
    "quick": {
        "scenario": "Storefront-v0",
        "learners": list(LEARNERS),
        "log_sizes": [5_000, 20_000],
        "base_size": 20_000,
        "supports": ["softmax 0.1", "softmax 1", "uniform"],
        "qualities": ["popularity", "logging"],
        "updates": 100,
        "batch_size": 512,
        "dim": 32,
        "num_users": 300,
        "evaluation_users": 300,
        "num_seeds": 2,
    },
    "standard": {
        "scenario": "Storefront-v0",
        "learners": list(LEARNERS),
        "log_sizes": [10_000, 50_000, 200_000],
        "base_size": 50_000,
        "supports": SUPPORTS,
        "qualities": QUALITIES,
        "updates": 1_500,
        "batch_size": 256,
        "dim": 32,
        "num_users": 600,
        "evaluation_users": 400,
        "num_seeds": 10,
    },
    "full": {
        "scenario": "Storefront-v0",
        "learners": list(LEARNERS),
        "log_sizes": [10_000, 50_000, 200_000, 1_000_000],
        "base_size": 200_000,
        "supports": SUPPORTS,
        "qualities": QUALITIES,
        "updates": 4_000,
        "batch_size": 512,
        "dim": 64,
        "num_users": 2_000,
        "evaluation_users": 5_000,
        "num_seeds": 10,
    },
}
SECONDS_PER_UPDATE, SECONDS_PER_USER, SECONDS_PER_ESTIMATED_USER = 0.0255, 0.0016, 0.0035
SECONDS_PER_DECISION = 4e-6
"""Of one core: of a network of size 32, for users of Storefront."""


def logs_of(size: Size) -> list[tuple[str, int]]:
    """(logging policy, decisions): every log of the sweeps, once."""
    logs = [(BASE, decisions) for decisions in size["log_sizes"]]
    logs += [(policy, size["base_size"]) for policy in (*size["supports"], *size["qualities"])]
    return list(dict.fromkeys(logs))


def arms_of(size: Size) -> list[Arm]:
    """Every learner on every log."""
    return [(learner, *log) for log in logs_of(size) for learner in size["learners"]]


def trainings_of(size: Size) -> dict[str, dict[str, str | None]]:
    """Specification -> {learner: head that acts}: what is trained on every log."""
    trainings: dict[str, dict[str, str | None]] = {}
    for learner in size["learners"]:
        specification, head = LEARNERS[learner]
        trainings.setdefault(specification, {})[learner] = head
    return trainings


def served_of(size: Size) -> list[str]:
    """Policies that learn nothing: the logging policies, and the ends of the gap."""
    return list(dict.fromkeys([FLOOR, CEILING, *(policy for policy, _ in logs_of(size))]))


def tasks(size: Size, seeds: Sequence[int]) -> list[Task]:
    """One for each training, log and seed, and for each policy that only serves."""
    shared = ("scenario", "updates", "batch_size", "dim", "num_users", "evaluation_users")
    learned = [
        Task(
            training_task(specification, policy, decisions, seed),
            learn_and_estimate,
            {
                "learner": specification,
                "heads": heads,
                "logging": POLICIES[policy],
                "log_decisions": decisions,
                "seed": seed,
                **{key: size[key] for key in shared},
            },
        )
        for policy, decisions in logs_of(size)
        for specification, heads in trainings_of(size).items()
        for seed in seeds
    ]
    served = [
        Task(
            served_task(policy, seed),
            serve_policy,
            {
                "scenario": size["scenario"],
                "policy": POLICIES.get(policy, policy),
                "seed": seed,
                "num_users": size["num_users"],
            },
        )
        for policy in served_of(size)
        for seed in seeds
    ]
    return learned + served


def training_task(specification: str, policy: str, decisions: int, seed: int) -> str:
    """File stem of a result."""
    name = specification.replace(":", "-").replace("=", "-")
    return f"{name}-{policy}-{decisions}-seed-{seed}".replace(" ", "-")


def served_task(policy: str, seed: int) -> str:
    """File stem of a result."""
    return f"served-{policy}-seed-{seed}".replace(" ", "-")


def arm_name(arm: Arm) -> str:
    """How an arm is called in rows."""
    learner, policy, decisions = arm
    return f"{learner}, {policy} {decisions}"


def score(result: Callable[[str], dict[str, Any]], size: Size, seeds: Sequence[int]) -> Score:
    """Shares of the gap and effective samples, what differs, and estimates against truths."""
    place, arms = size["scenario"], arms_of(size)
    results = {arm: [result_of(result, arm, seed) for seed in seeds] for arm in arms}
    served = {
        policy: np.array([result(served_task(policy, seed))["return"] for seed in seeds])
        for policy in served_of(size)
    }
    share = {
        arm: gap_share(np.array([one["return"] for one in found]), served[FLOOR], served[CEILING])
        for arm, found in results.items()
    }
    own = {
        policy: gap_share(earned, served[FLOOR], served[CEILING])
        for policy, earned in served.items()
        if policy not in (FLOOR, CEILING)
    } | {FLOOR: np.zeros(len(seeds))}
    rows = [row(NAME, place, policy, "gap_share", over_seeds(list(of))) for policy, of in own.items()]
    for arm, found in results.items():
        effective = [one["effective_share"] for one in found]
        rows.append(row(NAME, place, arm_name(arm), "gap_share", over_seeds(list(share[arm]))))
        rows.append(row(NAME, place, arm_name(arm), "effective_share", over_seeds(effective), (0.0, 1.0)))
    findings: list[Finding] = []
    for claims in questions(size, share, own).values():
        differences, found_there = judged(NAME, place, claims)
        rows += differences
        findings += found_there
    quality = {name: estimate_quality(results, logs_of(size), name) for name in ESTIMATORS}
    for name, measures in quality.items():
        rows += [
            row(NAME, place, name, measure, over_seeds(list(of)), MEASURES[measure])
            for measure, of in measures.items()
        ]
    estimates, found_estimates = judged(NAME, place, estimate_claims(place, quality))
    return Score(
        rows + estimates,
        findings + found_estimates,
        {"scatter": {name: scatter(results, name) for name in ESTIMATORS}},
    )


def result_of(result: Callable[[str], dict[str, Any]], arm: Arm, seed: int) -> dict[str, Any]:
    """What came of an arm with a seed."""
    learner, policy, decisions = arm
    found: dict[str, Any] = result(training_task(LEARNERS[learner][0], policy, decisions, seed))[learner]
    return found


def questions(
    size: Size, share: Mapping[Arm, np.ndarray], own: Mapping[str, np.ndarray]
) -> dict[str, list[Claim]]:
    """Claims by question: what a longer log, wider support, corrections and values bring; who beats the log.

    P-values are corrected for the claims of one question.
    """
    base, learners = size["base_size"], size["learners"]
    small, large = min(size["log_sizes"]), max(size["log_sizes"])
    narrow, wide = size["supports"][0], size["supports"][-1]
    pairs: dict[str, list[tuple[Arm, Arm]]] = {
        "length": [((learner, BASE, large), (learner, BASE, small)) for learner in learners],
        "support": [((learner, wide, base), (learner, narrow, base)) for learner in learners],
        "method": [
            ((one, policy, base), (other, policy, base))
            for policy in dict.fromkeys((BASE, narrow, wide))
            for one, other in CONTESTS
        ],
    }
    claims = {
        question: [
            contest(size["scenario"], first, second, share[first], share[second])
            for first, second in of_question
            if first in share and second in share and first != second
        ]
        for question, of_question in pairs.items()
    }
    claims["quality"] = [
        contest(size["scenario"], (learner, policy, base), None, share[learner, policy, base], own[policy])
        for policy in dict.fromkeys((BASE, *size["qualities"]))
        for learner in learners
    ]
    return claims


def contest(place: str, first: Arm, second: Arm | None, values: np.ndarray, reference: np.ndarray) -> Claim:
    """One arm against another, or against the policy that made its log."""
    other = "that of the policy that made the log" if second is None else f"that of {told(second)}"
    return Claim(
        arm_name(first),
        f"gap_share_minus {'its log' if second is None else arm_name(second)}",
        f"{place}: share of the gap of {told(first)} {{verdict}} {other}",
        values,
        reference,
    )


def told(arm: Arm) -> str:
    """How an arm is called in sentences."""
    learner, policy, decisions = arm
    return f"{learner} on {decisions:,} decisions of {policy}"


def core_seconds(size: Size, seeds: Sequence[int]) -> float:
    """By updates, users and decisions."""
    scale = size["batch_size"] * size["dim"] / (512 * 32)
    trained = len(trainings_of(size)) * len(logs_of(size)) * size["updates"] * scale * SECONDS_PER_UPDATE
    each = size["num_users"] * SECONDS_PER_USER + size["evaluation_users"] * SECONDS_PER_ESTIMATED_USER
    logs = sum(decisions for _, _, decisions in arms_of(size)) * SECONDS_PER_DECISION
    served = len(served_of(size)) * size["num_users"] * 0.008
    return (trained + len(arms_of(size)) * each + logs + served) * len(seeds)


EXPERIMENT = Definition(
    NAME,
    "What does learning from a log depend on: its length, the support and the quality of the policy that "
    "made it, propensities or values? And do estimates from a log say which learned policy earns more, and "
    "how much?",
    SIZES,
    tasks,
    score,
    draw,
    core_seconds,
    code=(ope,),
)
