"""What *controls* trains in which scenario, from which data, and what each learner is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import gymnasium
from gymnasium.vector import AutoresetMode

from benchmarks.experiments.serve import CE_AND_Q, Q_HEAD, acting_by
from benchmarks.tasks import Report
from recsim_env import World, get_scenario
from recsim_env.event_log import collect_log

if TYPE_CHECKING:
    from recsim_env import Policy

NEXT_ITEM = "next-item"
GAMMA_0 = ", gamma 0"
"""Ending of the names of twins without foresight."""


@dataclass(frozen=True)
class Training:
    """One learner, trained once for each seed.

    Attributes:
        agent: its specification; or, by `source`, the name of a preset of `agents.presets`.
        source: "log", of the logging policy; "live", the users of that policy's scenario; "preset", whatever
            the preset says; "twin", next-item prediction on the log, network and updates of the preset.
        changes: fields of its config that differ from those of the specification or preset.
        heads: ending of the arm's name -> the head that acts; without any the learner is one arm, as it is.
    """

    agent: str
    source: Literal["log", "live", "preset", "twin"] = "log"
    changes: Mapping[str, Any] = field(default_factory=dict)
    heads: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A scenario: who is trained in it, what has to hold.

    Attributes:
        trainings: name -> what is trained.
        comparisons: (agent, control): names of trainings, with the ending of a head where they have several,
            or of references.
        decisions: of each log, and of each learner from live users; presets have their own.
        expected: whether theory says that the agents beat these controls, or that they do not.
    """

    trainings: Mapping[str, Training]
    comparisons: tuple[tuple[str, str], ...]
    decisions: int = 0
    expected: bool = True


def _with_foresight(*presets: tuple[str, str]) -> Case:
    """Presets with a known optimum, each beside its twin without foresight and the supervised one."""
    trainings = {}
    for name, preset in presets:
        trainings[name] = Training(preset, "preset")
        trainings[name + GAMMA_0] = Training(preset, "preset", {"gamma": 0.0})
    trainings[NEXT_ITEM] = Training(presets[-1][1], "twin")
    comparisons = [(name, control) for name, _ in presets for control in (name + GAMMA_0, NEXT_ITEM)]
    return Case(trainings, tuple(comparisons))


MEMORYLESS = {
    "sqn": Training("sqn", heads=CE_AND_Q),
    "sqn" + GAMMA_0: Training("sqn:gamma=0.0", heads=CE_AND_Q),
    "snqn": Training("snqn", heads=CE_AND_Q),
    "snqn" + GAMMA_0: Training("snqn:gamma=0.0", heads=CE_AND_Q),
    "ips": Training("ips"),
    "ips" + GAMMA_0: Training("ips:gamma=0.0"),
    "dqn": Training("dqn", "live"),
    "dqn" + GAMMA_0: Training("dqn:gamma=0.0", "live"),
    NEXT_ITEM: Training("next-item"),
}
PASSES = {"epochs": 0.15}
"""Of the large log: 2,870 updates of 256 decisions for every learner."""

CASES: dict[str, Case] = {
    "Storefront-v0": Case(
        {
            NEXT_ITEM: Training("next-item", changes=PASSES),
            "ips": Training("ips", changes=PASSES),
            "snqn": Training("snqn", changes=PASSES, heads=CE_AND_Q),
            "sa2c": Training("sa2c", changes=PASSES, heads=CE_AND_Q),
        },
        tuple(
            (agent, control)
            for agent in ("ips", "snqn", "snqn" + Q_HEAD, "sa2c", "sa2c" + Q_HEAD)
            for control in ("logging", NEXT_ITEM)
        ),
        decisions=4_900_000,
    ),
    "Memoryless-v0": Case(
        MEMORYLESS,
        tuple(
            (agent + head, control)
            for agent, heads in (("sqn", CE_AND_Q), ("snqn", CE_AND_Q), ("ips", [""]), ("dqn", [""]))
            for head in heads
            for control in (agent + GAMMA_0 + head, NEXT_ITEM)
        ),
        decisions=60_000,
        expected=False,
    ),
    "Tiny-v0": _with_foresight(("dqn", "dqn-tiny"), ("slateq", "slateq-tiny"), ("sqn" + Q_HEAD, "sqn-tiny")),
    "LongTermSatisfaction-v0": _with_foresight(
        ("dqn", "dqn-satisfaction"), ("slateq", "slateq-satisfaction"), ("sqn" + Q_HEAD, "sqn-satisfaction")
    ),
}
"""Scenario -> its case. Sessions of Storefront have 24 decisions in the mean: its log has 200,000 users."""


def trained_arms(
    scenario: str, training: Training, decisions: int, seed: int, report: Report
) -> dict[str, Policy]:
    """Ending of the arm's name -> policy, of a training with a seed.

    Args:
        scenario: name.
        training: what is trained.
        decisions: of its log, or of live users.
        seed: of the users it learns from and of the training.
        report: called with the fraction done.
    """
    from agents.presets import learn_preset, supervised_twin

    progress = lambda step, total, _: report(step / total)  # noqa: E731
    if training.source == "preset":
        agent = learn_preset(training.agent, seed, progress, **training.changes)
    elif training.source == "twin":
        agent = supervised_twin(training.agent, seed, progress)
    else:
        agent = _trained(scenario, training, decisions, seed, progress)
    if not training.heads:
        return {"": agent}
    return {ending: acting_by(agent, head) for ending, head in training.heads.items()}


def _trained(scenario: str, training: Training, decisions: int, seed: int, progress: Any) -> Any:
    from agents import AgentSpec, LoggingPolicy

    agent = AgentSpec.parse(training.agent, training.changes).make()
    chosen = get_scenario(scenario)
    if training.source == "live":
        env = gymnasium.make_vec(chosen.id, num_envs=64, autoreset_mode=AutoresetMode.DISABLED)
        env.reset(seed=seed)
        agent.learn(env, decisions, seed=seed, progress=progress)
        env.close()
        return agent
    catalog = World(chosen.config).public_catalog
    log = collect_log(chosen.id, LoggingPolicy(catalog, chosen.config.slate_size), decisions, seed)
    return agent.fit(log, catalog, seed=seed, progress=progress)
