"""*next-item*: the protocol of SQN's paper, on simulator logs or a user's files, beside what was published.

Source: Xin, Karatzoglou, Arapakis and Jose (2020), "Self-supervised reinforcement learning for recommender
systems", SIGIR, sec. 4.1; (2022), "Supervised advantage actor-critic for recommender systems", WSDM, for SNQN
and SA2C. docs/experiments.md says what is the same here and what differs.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.aggregates import holm, paired_p_value
from benchmarks.experiments import next_item_data as sessions
from benchmarks.experiments.frame import (
    Definition,
    Finding,
    Score,
    Size,
    over_seeds,
    resampling,
    row,
    written,
)
from benchmarks.experiments.next_item_ranks import CUTOFFS, KINDS, accuracy, fit_scorer
from benchmarks.statistics import paired_difference
from benchmarks.style import display_name, figure
from benchmarks.summary import lookup_row
from benchmarks.tasks import Report, Task

NAME = "next-item"
REFERENCE = "next-item"
SIMPLE = ["popular", "item-knn", "sknn"]
LEARNERS = [REFERENCE, "sqn", "sqn:gamma=0.0", "snqn", "sac-rec", "sa2c", "hist"]
OTHER_ENCODERS = [f"next-item:encoder={name}" for name in ("caser", "nextitnet", "sasrec")]
SPLITS = ["random", "temporal"]
METRICS = [f"{kind}_{name}@{k}" for kind in KINDS for name in ("hr", "ndcg") for k in CUTOFFS]
CLAIMED = [f"{kind}_ndcg@10" for kind in KINDS]
PUBLISHED = Path(__file__).with_name("published_next_item.csv")
PUBLISHED_REPETITIONS = 5

SIZES: dict[str, Size] = {
    "quick": {
        "scenario": "Storefront-v0",
        "agents": [*SIMPLE, *LEARNERS],
        "splits": SPLITS,
        "log_decisions": 30_000,
        "most_sessions": 2_000,
        "epochs": 10,
        "num_seeds": 3,
    },
    "standard": {
        "scenario": "Storefront-v0",
        "agents": [*SIMPLE, *LEARNERS, *OTHER_ENCODERS],
        "splits": SPLITS,
        "log_decisions": 60_000,
        "most_sessions": 4_000,
        "epochs": 10,
        "num_seeds": 5,
    },
    "full": {
        "scenario": "Storefront-v0",
        "agents": [*SIMPLE, *LEARNERS, *OTHER_ENCODERS],
        "splits": SPLITS,
        "log_decisions": 1_000_000,
        "most_sessions": 200_000,
        "epochs": 30,
        "num_seeds": 10,
    },
}
TRAINED_SHARE = 0.28
"""Of a log's decisions: interactions in the training sessions, after the filters."""
SECONDS_PER_UPDATE = {
    "next-item": 0.025,
    "hist": 0.025,
    "sqn": 0.047,
    "sac-rec": 0.034,
    "snqn": 0.066,
    "sa2c": 0.06,
}
"""Of one core, with 1,000 items; `SECONDS_PER_ITEM` more for each further item, per head."""
SECONDS_PER_ITEM = 0.000_01
SECONDS_EACH = 5.0
"""For the log, the neighbours and the ranking."""


def with_data(size: Size, path: Path, out: Path) -> Size:
    """The size for a user's own files, which are read once and kept as `interactions-*.npz` in `out`."""
    name, data = sessions.read_data(path, size["most_sessions"])
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(column) for column in data[:4])).hexdigest()[:16]
    file = out / f"interactions-{digest}.npz"
    sessions.save(file, data)
    facts = {
        "name": name,
        "digest": digest,
        "interactions": len(data.item),
        "purchases": int(data.purchase.sum()),
        "sessions": int(data.session[-1]) + 1,
        "items": data.num_items,
    }
    return {**size, "scenario": name, "data": facts, "data_file": str(file)}


def agents_of(size: Size) -> list[str]:
    """Those that can be had: ItemKNN keeps all pairs of items, which a large catalog has too many of."""
    from agents.supervised.neighbours import MOST_ITEMS

    large = size.get("data", {}).get("items", 0) > MOST_ITEMS
    return [agent for agent in size["agents"] if not (large and agent == "item-knn")]


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
                "data_file": size.get("data_file"),
            },
        )
        for agent in reversed(agents_of(size))
        for split in size["splits"]
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
        data = sessions.from_simulator(scenario, log_decisions, seed)
    else:
        data = sessions.load(Path(data_file))
    train, validation, test = sessions.split(data, split, seed)
    score = fit_scorer(agent, train, validation, epochs, seed, lambda fraction: report(0.95 * fraction))
    return {"metrics": accuracy(score, test, seed)}


class Claim(NamedTuple):
    """Two arms that may differ.

    Attributes:
        agent, metric: of the row.
        text: with {verdict}, which is filled in.
        values, reference: [R] float64.
        note: after the figures.
    """

    agent: str
    metric: str
    text: str
    values: np.ndarray
    reference: np.ndarray
    note: str = ""


def score(result: Callable[[str], dict[str, Any]], size: Size, seeds: Sequence[int]) -> Score:
    """Accuracy of every agent, differences to supervised next-item prediction, and what was published."""
    place, agents = size["scenario"], agents_of(size)
    values = {
        (agent, split, metric): np.array(
            [result(task_name(agent, split, seed))["metrics"][metric] for seed in seeds]
        )
        for agent in agents
        for split in size["splits"]
        for metric in METRICS
    }
    rows = [
        row(NAME, place, agent, f"{split}_{metric}", over_seeds(list(of_seeds)))
        for (agent, split, metric), of_seeds in values.items()
    ]
    if "data" in size:
        rows += [one for one in published_rows() if one["scenario"] == place]
    findings: list[Finding] = []
    if len(seeds) > 1:
        for claims in (against_reference(place, agents, values), against_time(place, size["splits"], values)):
            differences, found = judged(place, claims)
            rows += differences
            findings += found
    if agents != size["agents"]:
        findings.append(Finding(f"{place}: item-knn is left out, the catalog is too large for it.", True))
    return Score(rows, findings, {})


def against_reference(
    place: str, agents: Sequence[str], values: Mapping[tuple[str, str, str], np.ndarray]
) -> list[Claim]:
    """Everyone against supervised next-item prediction, and SQN against itself without foresight."""
    pairs = [(agent, REFERENCE) for agent in agents if agent != REFERENCE]
    if {"sqn", "sqn:gamma=0.0"} <= set(agents):
        pairs.append(("sqn", "sqn:gamma=0.0"))
    gains = published_gains()
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


def against_time(
    place: str, splits: Sequence[str], values: Mapping[tuple[str, str, str], np.ndarray]
) -> list[Claim]:
    """What the split without leakage costs."""
    if set(splits) != set(SPLITS):
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


def judged(place: str, claims: Sequence[Claim]) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Paired differences with p-values corrected for the number of claims."""
    rows, findings = [], []
    p = holm([paired_p_value(claim.values, claim.reference, resampling()) for claim in claims])
    for claim, corrected in zip(claims, p, strict=True):
        interval = paired_difference(claim.values, claim.reference, resampling())
        shown = bool(corrected <= 0.05 and (interval.low > 0 or interval.high < 0))
        verdict = "is not shown to differ from"
        if shown:
            verdict = "is above" if interval.mean > 0 else "is below"
        rows.append(row(NAME, place, claim.agent, claim.metric, interval) | {"p_corrected": float(corrected)})
        said = claim.text.format(verdict=verdict)
        figures = f"{written(interval, 4)} (Holm p = {corrected:.3f}){claim.note}"
        findings.append(Finding(f"{said}, by {figures}.", shown))
    return rows, findings


def published() -> list[dict[str, str]]:
    """The rows of `published_next_item.csv`."""
    with open(PUBLISHED, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def published_rows() -> list[dict[str, Any]]:
    """What the papers print, as reported figures without intervals."""
    return [
        {
            "experiment": NAME,
            "scenario": one["dataset"],
            "agent": f"{one['agent']} (published)",
            "metric": f"random_{metric}",
            "value": float(one[metric]),
            "lower": None,
            "upper": None,
            "seeds": PUBLISHED_REPETITIONS,
        }
        for one in published()
        for metric in METRICS
    ]


def published_gains() -> dict[tuple[str, str], dict[str, float]]:
    """(agent, metric) -> data set -> by how much the papers' figure is above that of supervised GRU."""
    of = {(one["dataset"], one["agent"]): one for one in published()}
    gains: dict[tuple[str, str], dict[str, float]] = {}
    for (dataset, agent), one in of.items():
        for metric in METRICS:
            gain = float(one[metric]) - float(of[dataset, REFERENCE][metric])
            gains.setdefault((agent, metric), {})[dataset] = gain
    return gains


def draw(summary: Mapping[str, Any], folder: Path) -> None:
    """NDCG@10 of clicks and of purchases: agents in rows, splits and the published figures as markers."""
    size, rows = summary["settings"], summary["rows"]
    place, agents = size["scenario"], agents_of(size)
    known = {(one["agent"], one["metric"]): one for one in rows}
    height = 1.5 + 0.36 * len(agents)
    with figure(folder, "next_item", figsize=(9.6, height), ncols=2, sharey=True) as (drawing, axes):
        for panel, metric in zip(axes, CLAIMED, strict=True):
            for line, agent in enumerate(agents):
                for split, shift in zip(size["splits"], (0.14, -0.14), strict=False):
                    one = lookup_row(rows, place, agent, f"{split}_{metric}")
                    y, filled = line - shift, split == "random"
                    if one["lower"] is not None:
                        panel.plot([one["lower"], one["upper"]], [y, y], color="#0072b2", lw=1.2)
                    panel.plot(
                        one["value"],
                        y,
                        color="#0072b2",
                        marker="o" if filled else "s",
                        mfc="#0072b2" if filled else "white",
                        ls="none",
                        ms=5.5,
                        label=f"{split} split" if line == 0 else None,
                    )
                printed = known.get((f"{agent} (published)", f"random_{metric}"))
                if printed is not None:
                    panel.plot(printed["value"], line, color="#222222", marker="x", ls="none", ms=6)
            panel.set_xlabel(f"NDCG@10 of {metric.split('_')[0]}s")
            panel.set_xlim(left=0)
            panel.margins(x=0.08)
        axes[0].set_yticks(range(len(agents)), [display_name(agent) for agent in agents])
        axes[0].invert_yaxis()
        axes[0].set_title(f"Next item · {place}")
        if "data" in size:
            axes[0].plot([], [], color="#222222", marker="x", ls="none", label="published (random split)")
        handles, labels = axes[0].get_legend_handles_labels()
        drawing.legend(handles, labels, loc="outside lower right", ncols=3, fontsize=8)


def core_seconds(size: Size, seeds: Sequence[int]) -> float:
    """By the updates of the learners, whose cost grows with the catalog."""
    trained = size["log_decisions"] * TRAINED_SHARE
    items = 1_000
    if "data" in size:
        trained, items = size["data"]["interactions"] * 0.8, size["data"]["items"]
    updates = trained * size["epochs"] / 256
    each = 0.0
    for agent in agents_of(size):
        per_update = SECONDS_PER_UPDATE.get(agent.partition(":")[0], 0.0)
        heads = 1 if agent.startswith(REFERENCE) else 3
        more = max(0, items - 1_000) * SECONDS_PER_ITEM * heads if per_update else 0.0
        slow = 5 if agent.endswith("nextitnet") else 1
        each += SECONDS_EACH + updates * (slow * per_update + more)
    return each * len(size["splits"]) * len(seeds)


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
