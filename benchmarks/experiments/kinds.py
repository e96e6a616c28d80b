"""How agents learn, and how each kind is drawn; the figures of all agents share it."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.style import FAMILIES, LOOKS, MARKERS, Look, sweep_looks

KINDS = {
    "supervised": ("item-knn", "sknn", "reward-rates", "next-item", "reward-weighted", "hist"),
    "values": ("sqn", "snqn", "sac-rec", "sa2c", "double-dqn", "cql", "slateq"),
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
    """Agent -> look, for curves and scatters: colour and dash by kind, depth within it, a marker of its own.

    Markers come again after ten learners.
    """
    learners = [agent for kind in KINDS for agent in agents if kind_of(agent) == kind]
    arms = [f"{kind_of(agent)} {agent}" for agent in learners]
    everyone = [f"{kind} {names[0]}" for kind, names in KINDS.items()]  # so that kinds keep their colours
    looks = sweep_looks([*everyone, *arms])
    own = {
        agent: looks[arm]._replace(marker=MARKERS[place % len(MARKERS)])
        for place, (agent, arm) in enumerate(zip(learners, arms, strict=True))
    }
    return {agent: own.get(agent, kind_look(agent)) for agent in agents}
