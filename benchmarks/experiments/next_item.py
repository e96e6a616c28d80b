"""*next-item*: the protocol of SQN's paper, on simulator logs or a user's files, beside what was published.

Source: Xin, Karatzoglou, Arapakis and Jose (2020), "Self-supervised reinforcement learning for recommender
systems", SIGIR, sec. 4.1; (2022), "Supervised advantage actor-critic for recommender systems", WSDM, for SNQN
and SA2C. docs/experiments.md says what is the same here and what differs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.experiments import next_item_data as sessions
from benchmarks.experiments.claims import Claim, judged
from benchmarks.experiments.frame import Definition, Finding, Score, Size
from benchmarks.experiments.next_item_figure import draw
from benchmarks.experiments.next_item_published import published_gains, published_rows
from benchmarks.experiments.next_item_ranks import METRICS, accuracy, fit_scorer
from benchmarks.rows import over_seeds, row
from benchmarks.tasks import Report, Task

NAME = "next-item"
REFERENCE = "next-item"
SIMPLE = ["popular", "item-knn", "sknn"]
LEARNERS = [REFERENCE, "sqn", "sqn:gamma=0.0", "snqn", "sac-rec", "sa2c", "hist"]
OTHER_ENCODERS = [f"next-item:encoder={name}" for name in ("caser", "nextitnet", "sasrec")]
CLAIMED = ["click_ndcg@10", "purchase_ndcg@10"]

SIZES: dict[str, Size] = {
    "quick": {
        "scenario": "Storefront-v0",
        "agents": [*SIMPLE, *LEARNERS],
        "temporal": [*SIMPLE, REFERENCE],
        "log_decisions": 20_000,
        "most_sessions": 2_000,
        "epochs": 32,
        "num_seeds": 3,
    },
    "standard": {
        "scenario": "Storefront-v0",
        "agents": [*SIMPLE, *LEARNERS, *OTHER_ENCODERS],
        "temporal": [*SIMPLE, *LEARNERS],
        "log_decisions": 40_000,
        "most_sessions": 4_000,
        "epochs": 15,
        "num_seeds": 10,
    },
    "full": {
        "scenario": "Storefront-v0",
        "agents": [*SIMPLE, *LEARNERS, *OTHER_ENCODERS],
        "temporal": [*SIMPLE, *LEARNERS],
        "log_decisions": 1_000_000,
        "most_sessions": 200_000,
        "epochs": 30,
        "num_seeds": 10,
    },
}
TRAINED_SHARE = 0.31
"""Of a log's decisions: interactions in the training sessions, after the filters."""
SECONDS_PER_UPDATE = {
    "next-item": 0.025,
    "hist": 0.025,
    "sqn": 0.043,
    "sac-rec": 0.034,
    "snqn": 0.066,
    "sa2c": 0.06,
}
"""Of one core, with 1,000 items; `SECONDS_PER_ITEM` more for each further item, per head."""
SECONDS_PER_ITEM = 1.5e-6
SECONDS_EACH = 2.0
"""For the log, the neighbours and the ranking."""

Values = Mapping[tuple[str, str, str], np.ndarray]
"""(agent, split, metric) -> [R] float64."""


def with_data(size: Size, path: Path, out: Path) -> Size:
    """The size for a user's own files, which are read once and kept as `interactions-*.npz` in `out`."""
    name, by_split = sessions.read_data(path, size["most_sessions"])
    contents = hashlib.sha256()
    for data in by_split.values():
        for column in data[:4]:
            contents.update(np.ascontiguousarray(column).tobytes())
    digest = contents.hexdigest()[:16]
    files = {kind: out / f"interactions-{digest}-{kind}.npz" for kind in by_split}
    for kind, file in files.items():
        sessions.save(file, by_split[kind])
    data = by_split[sessions.RANDOM]
    facts = {
        "name": name,
        "digest": digest,
        "interactions": len(data.item),
        "purchases": int(data.purchase.sum()),
        "sessions": int(data.session[-1]) + 1,
        "items": data.num_items,
    }
    return {
        **size,
        "scenario": name,
        "data": facts,
        "data_file": {kind: str(file) for kind, file in files.items()},
    }


def agents_of(size: Size) -> list[str]:
    """Those that can be had: ItemKNN keeps all pairs of items, which a large catalog has too many of."""
    from agents.supervised.neighbours import ItemKNN

    large = size.get("data", {}).get("items", 0) > ItemKNN.most_items
    return [agent for agent in size["agents"] if not (large and agent == "item-knn")]


def arms_of(size: Size) -> list[tuple[str, str]]:
    """(agent, split): all on the published split, some on the other one."""
    agents = agents_of(size)
    late = [agent for agent in agents if agent in size["temporal"]]
    return [(agent, "random") for agent in agents] + [(agent, "temporal") for agent in late]


def tasks(size: Size, seeds: Sequence[int]) -> list[Task]:
    """One for each agent, split and seed; those that take longest first."""
    return [
        Task(
            task_name(agent, split, seed),
            score_agent,
            {
                "scenario": size["scenario"],
                "agent": agent,
                "split": split,
                "seed": seed,
                "log_decisions": size["log_decisions"],
                "epochs": size["epochs"],
                "data_file": size.get("data_file", {}).get(split),
            },
        )
        for agent, split in reversed(arms_of(size))
        for seed in seeds
    ]


def task_name(agent: str, split: str, seed: int) -> str:
    """File stem of a result."""
    return f"{agent}-{split}-seed-{seed}"


def score_agent(
    scenario: str,
    agent: str,
    split: str,
    seed: int,
    log_decisions: int,
    epochs: float,
    data_file: str | None,
    report: Report,
) -> dict[str, Any]:
    """One repetition: split, train, rank; a simulator's log is of the seed too."""
    if data_file is None:
        data = sessions.from_simulator(scenario, log_decisions, seed, split)
    else:
        data = sessions.load(Path(data_file))
    train, validation, test = sessions.split(data, split, seed)
    score = fit_scorer(agent, train, validation, epochs, seed, lambda fraction: report(0.95 * fraction))
    return {"metrics": accuracy(score, test, seed)}


def score(result: Callable[[str], dict[str, Any]], size: Size, seeds: Sequence[int]) -> Score:
    """Accuracy of every agent, differences to supervised next-item prediction, and what was published."""
    place, agents = size["scenario"], agents_of(size)
    values = {
        (agent, split, metric): np.array(
            [result(task_name(agent, split, seed))["metrics"][metric] for seed in seeds]
        )
        for agent, split in arms_of(size)
        for metric in METRICS
    }
    rows = [
        row(NAME, place, agent, f"{split}_{metric}", over_seeds(list(of_seeds)), (0.0, 1.0))
        for (agent, split, metric), of_seeds in values.items()
    ]
    if "data" in size:
        rows += [one for one in published_rows(NAME) if one["scenario"] == place]
    findings: list[Finding] = []
    for claims in questions(place, size, values):
        differences, found = judged(NAME, place, claims, digits=4)
        rows += differences
        findings += found
    if agents != size["agents"]:
        findings.append(Finding(f"{place}: item-knn is left out, the catalog is too large for it.", True))
    return Score(rows, findings, {})


def questions(place: str, size: Size, values: Values) -> list[list[Claim]]:
    """Claims, question by question: p-values are corrected for the claims of one question.

    Learners against supervised next-item prediction; so neighbours and other encoders; SQN against itself
    without foresight; the temporal split against the random one.
    """
    agents = agents_of(size)
    others = [agent for agent in agents if agent not in LEARNERS]
    learned = [agent for agent in agents if agent in LEARNERS and agent != REFERENCE]
    foresight = [("sqn", "sqn:gamma=0.0")] if {"sqn", "sqn:gamma=0.0"} <= set(agents) else []
    return [
        contests(place, [(agent, REFERENCE) for agent in learned], values),
        contests(place, [(agent, REFERENCE) for agent in others], values),
        contests(place, foresight, values),
        against_time(place, values),
    ]


def contests(place: str, pairs: Sequence[tuple[str, str]], values: Values) -> list[Claim]:
    """One agent against another on the random split, for clicks and for purchases."""
    gains = published_gains(REFERENCE)
    claims = []
    for agent, other in pairs:
        for metric in CLAIMED:
            found = gains.get((agent, metric), {}) if other == REFERENCE else {}
            told = ", ".join(f"{gain:+.4f} on {dataset}" for dataset, gain in found.items())
            claims.append(
                Claim(
                    agent,
                    f"random_{metric}_minus_{other}",
                    f"{place}, random split: {metric.replace('_ndcg', ' NDCG')} of {agent} {{verdict}} "
                    f"that of {other}",
                    values[agent, "random", metric],
                    values[other, "random", metric],
                    f"; published: {told}" if told else "",
                )
            )
    return claims


def against_time(place: str, values: Values) -> list[Claim]:
    """What the split without leakage costs."""
    if (REFERENCE, "temporal", CLAIMED[0]) not in values:
        return []
    return [
        Claim(
            REFERENCE,
            f"temporal_minus_random_{metric}",
            f"{place}: {metric.replace('_ndcg', ' NDCG')} of {REFERENCE} on the temporal split {{verdict}} "
            "that on the random one",
            values[REFERENCE, "temporal", metric],
            values[REFERENCE, "random", metric],
        )
        for metric in CLAIMED
    ]


def core_seconds(size: Size, seeds: Sequence[int]) -> float:
    """By the updates of the learners, whose cost grows with the catalog."""
    trained = size["log_decisions"] * TRAINED_SHARE
    items = 1_000
    if "data" in size:
        trained, items = size["data"]["interactions"] * 0.8, size["data"]["items"]
    updates = trained * size["epochs"] / 256
    each = 0.0
    for agent, _ in arms_of(size):
        per_update = SECONDS_PER_UPDATE.get(agent.partition(":")[0], 0.0)
        heads = 1 if agent.startswith(REFERENCE) else 3
        more = max(0, items - 1_000) * SECONDS_PER_ITEM * heads if per_update else 0.0
        slow = 5 if agent.endswith("nextitnet") else 1
        each += SECONDS_EACH + updates * (slow * per_update + more)
    return each * len(seeds)


EXPERIMENT = Definition(
    NAME,
    "Under the protocol of SQN's paper, do value learners predict the next click and purchase better than "
    "supervised prediction, than neighbours, and than themselves without foresight; and what does a split "
    "without leakage change?",
    SIZES,
    tasks,
    score,
    draw,
    core_seconds,
    with_data,
)
