"""How agents learn, and how each kind is drawn; the figures of all agents share it."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.style import FAMILIES, LOOKS, Look, sweep_looks

KINDS = {
    "supervised": ("item-knn", "sknn", "next-item", "reward-weighted", "hist"),
    "values": ("sqn", "snqn", "sac-rec", "sa2c", "double-dqn", "cql"),
    "gradient": ("ips",),
    "online": ("dqn", "bootstrapped", "linucb", "lints"),
}
"""The rest learn nothing and are grey."""


def kind_of(agent: str) -> str:
    """A key of `KINDS` for an agent by specification, or "" for what does not learn."""
    name = agent.partition(":")[0]
    return next((kind for kind, names in KINDS.items() if name in names), "")


def kind_look(agent: str) -> Look:
    """Colour and marker of the agent's kind, where its name stands beside it."""
    kind = kind_of(agent)
    return FAMILIES[list(KINDS).index(kind)] if kind else LOOKS.get(agent, LOOKS["myopic"])


def agent_looks(agents: Sequence[str]) -> dict[str, Look]:
    """Agent -> look: colour by kind, marker and depth within it, for curves and scatters.

    `sweep_looks` gives colours to families in the order in which they come; here all kinds come, in theirs.
    """
    arms = [f"{kind_of(agent)} {agent}".strip() for agent in agents]
    looks = sweep_looks([*(f"{kind} {names[0]}" for kind, names in KINDS.items()), *arms])
    return {agent: looks[arm] for agent, arm in zip(agents, arms, strict=True)}
