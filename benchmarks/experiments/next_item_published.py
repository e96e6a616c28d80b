"""What the papers of *next-item* print for the agents that we have.

Source: Xin et al. (2020), for GRU, Caser, NItNet, SASRec, SQN and SAC; Xin et al. (2022), for SNQN and SA2C
with GRU; means of five repetitions.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from benchmarks.experiments.next_item_ranks import METRICS

PUBLISHED = Path(__file__).with_name("published_next_item.csv")
PUBLISHED_REPETITIONS = 5


def published() -> list[dict[str, str]]:
    """The rows of `published_next_item.csv`."""
    with open(PUBLISHED, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def published_rows(experiment: str) -> list[dict[str, Any]]:
    """What the papers print, as reported figures without intervals."""
    return [
        {
            "experiment": experiment,
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


def published_gains(reference: str) -> dict[tuple[str, str], dict[str, float]]:
    """(agent, metric) -> data set -> by how much the papers' figure is above that of the reference."""
    of = {(one["dataset"], one["agent"]): one for one in published()}
    gains: dict[tuple[str, str], dict[str, float]] = {}
    for (dataset, agent), one in of.items():
        for metric in METRICS:
            gain = float(one[metric]) - float(of[dataset, reference][metric])
            gains.setdefault((agent, metric), {})[dataset] = gain
    return gains
