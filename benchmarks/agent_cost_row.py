"""One measurement of `recsim-env agent-cost`, in a process of its own so that its peak memory is its own.

Run as a module with a case as JSON; prints the measurement as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from benchmarks.experiment import untrained_policies
from benchmarks.throughput_row import MEBIBYTE, peak_bytes
from recsim_env import World, get_scenario
from recsim_env.config import WorldConfig
from recsim_env.event_log import EventLog, collect_log
from recsim_env.vector_env import RecommenderVectorEnv

SCENARIO = "Storefront-v0"
SEED = 1_000
LIVE_USERS = 64
LIVE_DECISIONS = 640
"""What an online learner learns from before its speed of acting is measured."""


class _EnoughError(Exception):
    """The clock has run out."""


def config_of(num_items: int) -> WorldConfig:
    """The world that is measured, with a catalog of this size."""
    return get_scenario(SCENARIO).config.replace(catalog={"num_items": num_items})


def measure(case: dict[str, Any]) -> dict[str, float]:
    """Let one agent act, or train it, for some seconds.

    Args:
        case: dict with `kind` ("act" or "train"), `agent` (specification), `num_items`, `num_users` (who are
            acted for at once), `log_decisions` and `seconds`.

    Returns:
        {"rate": actions, or trained samples (decisions of the log), per second; "peak_mib": peak memory of
        this process; "base_mib": the same before the agent was made}.
    """
    from agents import AgentSpec, LoggingPolicy

    scenario, world = get_scenario(SCENARIO), World(config_of(case["num_items"]))
    decisions = max(case["log_decisions"], case["num_users"])
    policy = LoggingPolicy(world.public_catalog)
    log = collect_log(world, policy, decisions, SEED, max_steps=scenario.max_episode_steps)
    base = peak_bytes()
    spec = AgentSpec.parse(case["agent"])
    if case["kind"] == "train":
        rate = _train(spec, log, world, case["seconds"])
    else:
        observation = log.observation(np.arange(case["num_users"]))
        rate = _act(_ready(spec, log, world), observation, case["seconds"])
    return {"rate": rate, "peak_mib": peak_bytes() / MEBIBYTE, "base_mib": base / MEBIBYTE}


def _short(spec: Any) -> Any:
    """A learner that is done after an update or two."""
    agent = spec.make()
    if hasattr(agent, "config") and hasattr(agent.config, "epochs"):
        agent.config = dataclasses.replace(agent.config, epochs=1e-9)
    return agent


def _ready(spec: Any, log: EventLog, world: World) -> Any:
    known = untrained_policies(world)
    if spec.text in known:
        return known[spec.text]()
    agent = _short(spec)
    if hasattr(agent, "fit"):
        return agent.fit(log, world.public_catalog, seed=SEED)
    env = RecommenderVectorEnv(
        LIVE_USERS, world=world, max_episode_steps=20, autoreset_mode=AutoresetMode.DISABLED
    )
    env.reset(seed=SEED)
    return agent.learn(env, LIVE_DECISIONS, seed=SEED)


def _act(agent: Any, observation: dict[str, np.ndarray], seconds: float) -> float:
    """Actions per second, after one call to warm up."""
    generator, calls = np.random.default_rng(SEED), 0
    agent.act(observation, generator)
    began = now = time.perf_counter()
    while now - began < seconds:
        agent.act(observation, generator)
        calls, now = calls + 1, time.perf_counter()
    return calls * len(observation["segment"]) / (now - began)


def _train(spec: Any, log: EventLog, world: World, seconds: float) -> float:
    """Samples per second over all updates but the first."""
    agent = spec.make()
    agent.config = dataclasses.replace(agent.config, epochs=1e6)
    update, began, samples = agent.update, 0.0, -1

    def timed(data: Any, rows: Any, *rest: Any) -> Any:
        nonlocal began, samples
        result = update(data, rows, *rest)
        now = time.perf_counter()
        if samples < 0:
            began, samples = now, 0
            return result
        samples += len(rows)
        if now - began > seconds:
            raise _EnoughError(samples / (now - began))
        return result

    agent.update = timed
    try:
        agent.fit(log, world.public_catalog, seed=SEED)
    except _EnoughError as enough:
        return float(enough.args[0])
    raise RuntimeError(f"{spec.text}: its training ended before the clock did")


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
