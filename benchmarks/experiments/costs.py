"""What experiments cost, for what is printed before a long one starts."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.engines import Engine

MILLISECONDS_PER_DECISION = {
    "item-knn": 0.01,
    "sknn": 0.02,
    "linucb": 0.06,
    "lints": 0.06,
    "next-item": 0.2,
    "reward-weighted": 0.2,
    "hist": 0.2,
    "ips": 0.2,
    "double-dqn": 0.3,
    "cql": 0.3,
    "sqn": 0.33,
    "sac-rec": 0.33,
    "dqn": 0.45,
    "sa2c": 0.47,
    "slateq": 0.6,
    "snqn": 0.47,
    "bootstrapped": 0.9,
}
"""Of one core, for every decision that an agent learns from, by default in two passes."""
MYOPIC_SHARE = 0.7
"""Of that, for twins that look at no next state."""
SECONDS_PER_USER = 0.002
"""Of one core, to serve one by a learner."""


def learning_seconds(agents: Sequence[str], num_decisions: int, num_users: int) -> float:
    """Of one core: each agent, by specification, learns from so many decisions and serves so many users."""
    learned = 0.0
    for agent in agents:
        name, _, settings = agent.partition(":")
        myopic = "gamma=0.0" in settings or "td_weight=0.0" in settings
        learned += MILLISECONDS_PER_DECISION.get(name, 0.0) * (MYOPIC_SHARE if myopic else 1.0)
    return num_decisions * learned / 1_000 + len(agents) * num_users * SECONDS_PER_USER


def cost_line(num_tasks: int, core_seconds: float, engine: int | Engine) -> str:
    """How long a run will take, in words, before it starts; of a cluster the cores are not known."""
    engine = Engine(jobs=engine) if isinstance(engine, int) else engine
    hours = core_seconds / 3600
    line = f"{num_tasks} tasks, about {hours:,.1f} core-hours"
    if engine.address is not None:
        return line
    count = 1 if engine.name == "serial" else engine.jobs
    return f"{line}: {hours / count:,.1f} h on {count} process{'es' if count > 1 else ''}"
