"""One look for all figures: readable in grey, safe for colour-blind readers, no chart junk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from recsim_env.event_log import replacing


class Look(NamedTuple):
    """How an agent is drawn: colour, marker and dash pattern all differ, so that one of them is enough."""

    colour: str
    marker: str
    dash: Any


LOOKS = {
    "random": Look("#858585", "x", (0, (1, 1.5))),
    "popular": Look("#666666", "v", (0, (4, 1.5))),
    "logging": Look("#444444", "P", (0, (5, 1.5, 1, 1.5))),
    "myopic": Look("#000000", "*", "solid"),
    "dqn": Look("#0072b2", "o", "solid"),
    "sqn": Look("#d55e00", "s", (0, (6, 1))),
    "ips": Look("#009e73", "^", (0, (3, 1, 1, 1))),
}
"""Learners take the palette of Okabe and Ito (2008), references are grey."""

SPARE = [
    Look("#cc79a7", "D", (0, (8, 2))),
    Look("#56b4e9", "<", (0, (2, 1))),
    Look("#e69f00", ">", (0, (6, 1, 1, 1, 1, 1))),
    Look("#7a5195", "h", (0, (1, 1, 4, 1))),
]

NAMES = {
    "myopic": "myopic oracle",
    "planning": "planning oracle",
    "logging": "logging policy",
    "dqn": "DQN",
    "sqn": "SQN",
    "ips": "IPS",
    "double-dqn": "double DQN",
    "bootstrapped": "bootstrapped DQN",
    "cql": "CQL",
    "slateq": "SlateQ",
    "snqn": "SNQN",
    "sac-rec": "SAC-rec",
    "sa2c": "SA2C",
    "hist": "HIST",
    "item-knn": "ItemKNN",
    "sknn": "SKNN",
    "linucb": "LinUCB",
    "lints": "linear Thompson",
}
"""How agents are called in figures and tables; others by their own name."""

RC: Any = {
    "figure.dpi": 110,
    "savefig.dpi": 160,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.6,
    "lines.markersize": 6,
    "legend.frameon": False,
    "svg.hashsalt": "recsim_env",
    "svg.fonttype": "path",
}


def look_of(agent: str, agents: list[str]) -> Look:
    """The agent's look; agents without one of their own take the spare ones in order."""
    if agent in LOOKS:
        return LOOKS[agent]
    unknown = [name for name in agents if name not in LOOKS]
    return SPARE[unknown.index(agent) % len(SPARE)]


FAMILIES = [
    Look("#0072b2", "o", "solid"),
    Look("#d55e00", "s", (0, (6, 1))),
    Look("#009e73", "^", (0, (3, 1, 1, 1))),
    Look("#7a5195", "D", (0, (8, 2))),
]
"""A setting that is swept is a family; others are grey, in the looks of `ALONE`."""
ALONE = [LOOKS["random"], LOOKS["popular"], LOOKS["logging"], LOOKS["myopic"]]
MARKERS = "os^Dv<>hP*"


def sweep_looks(arms: list[str]) -> dict[str, Look]:
    """A look for every arm of a sweep, such as 'epsilon 0.1'; grey print still tells them apart.

    Colour and dash show the family, marker and depth of colour the setting. Arms without a setting (one word)
    stand alone and are grey. The order within a family is that of the arms.
    """
    families: dict[str, list[str]] = {}
    for arm in arms:
        words = arm.split(" ")
        families.setdefault(words[0] if len(words) == 2 else "", []).append(arm)
    alone = families.pop("", [])
    if not families:
        families, alone = {"": alone}, []
    looks = {arm: ALONE[place % len(ALONE)] for place, arm in enumerate(alone)}
    for place, members in enumerate(families.values()):
        base = FAMILIES[place % len(FAMILIES)]
        for rank, arm in enumerate(members):
            depth = 1.0 if len(members) == 1 else 0.55 + 0.45 * rank / (len(members) - 1)
            looks[arm] = Look(_paler(base.colour, depth), MARKERS[(place + rank) % len(MARKERS)], base.dash)
    return {arm: looks[arm] for arm in arms}


def _paler(colour: str, depth: float) -> str:
    """The colour mixed with white: all of it at depth 1."""
    parts = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - (255 - part) * depth):02x}" for part in parts)


def display_name(agent: str) -> str:
    """What a reader calls the agent."""
    name, _, settings = agent.partition(":")
    return f"{NAMES.get(name, name)} {settings}".rstrip()


@contextmanager
def figure(folder: Path, name: str, **options: Any) -> Iterator[tuple[Figure, Any]]:
    """`plt.subplots(**options)` in the common style; saved as PNG and SVG when the block succeeds."""
    with plt.rc_context(RC):
        drawing, axes = plt.subplots(layout="constrained", **options)
        try:
            yield drawing, axes
            for suffix in ("png", "svg"):
                metadata = {"Date": None} if suffix == "svg" else {"Software": None}
                with replacing(folder / f"{name}.{suffix}") as temporary:
                    drawing.savefig(temporary, format=suffix, metadata=metadata)
        finally:
            plt.close(drawing)
