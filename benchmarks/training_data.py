"""What `recsim-env train` trains on: a log, a fresh log of the logging policy, or live users."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchmarks.choices import find_scenario, one_size
from benchmarks.errors import UsageError
from benchmarks.training_display import TrainingDisplay
from recsim_env import World, WorldConfig, get_scenario
from recsim_env.event_log import EventLog, LogFolder, collect_log

if TYPE_CHECKING:
    from agents import AgentSpec, LiveTraining, Training

ONLINE_USERS = 64
"""Users whom an online learner serves at a time, as in `compare`."""


def data_settings(log: Path | None, scenario: str | None, decisions: str, spec: AgentSpec) -> dict[str, Any]:
    """What is learned from, as settings.

    Raises:
        UsageError: not exactly one source, or one that the agent does not learn from.
    """
    from agents import OFFLINE

    if (log is None) == (scenario is None):
        raise UsageError("expected either --log or --scenario")
    if log is not None:
        if spec.name not in OFFLINE:
            raise UsageError(f"--log: agent {spec.name!r} learns from live users: give --scenario")
        return {"log": str(log.resolve())}
    assert scenario is not None
    return {"scenario": find_scenario(scenario), "decisions": one_size("--decisions", decisions)}


def trained(
    path: Path | None,
    spec: AgentSpec,
    training: Training | LiveTraining,
    seed: int,
    data: Mapping[str, Any],
    display: TrainingDisplay,
) -> Any:
    """The agent, trained on the log at a path or else on what its data settings say."""
    from agents import ONLINE

    agent = spec.make()
    if path is None and spec.name in ONLINE:
        return _learn(agent, data, seed, training, display)
    if path is not None:
        log, world = open_log(path)
    else:
        log, world = _collect(data, seed, display)
    display.stage("training")
    from agents.learning.offline import OfflineAgent

    if isinstance(agent, OfflineAgent):
        around = cast("Training", training)
        return agent.fit(log, world.public_catalog, seed=seed, progress=display.update, training=around)
    return agent.fit(log, world.public_catalog, seed=seed, progress=display.update)


def _learn(agent: Any, data: Mapping[str, Any], seed: int, training: Any, display: TrainingDisplay) -> Any:
    import gymnasium as gym
    from gymnasium.vector import AutoresetMode

    env = gym.make_vec(data["scenario"], num_envs=ONLINE_USERS, autoreset_mode=AutoresetMode.DISABLED)
    env.reset(seed=seed)
    display.stage("learning from live users")
    try:
        return agent.learn(env, data["decisions"], seed=seed, progress=display.update, training=training)
    finally:
        env.close()


def _collect(data: Mapping[str, Any], seed: int, display: TrainingDisplay) -> tuple[EventLog, World]:
    """A log of the logging policy, as `compare` makes it."""
    from agents import LoggingPolicy

    world = World(get_scenario(data["scenario"]).config)
    policy = LoggingPolicy(world.public_catalog, world.config.slate_size)
    display.stage("collecting a log")
    log = collect_log(
        data["scenario"],
        policy,
        data["decisions"],
        seed,
        progress=lambda rows, total: display.share(rows / total),
    )
    return log, world


def open_log(path: Path) -> tuple[EventLog | LogFolder, World]:
    """A log, a folder of one unread, and the world that made it.

    Raises:
        UsageError: there is no log, or it does not say which world made it.
    """
    try:
        if path.is_dir():
            folder = LogFolder.open(path)
            log: EventLog | LogFolder = folder
            first = next(folder.logs())
        else:
            log = first = EventLog.load(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"--log: {error}") from error
    except StopIteration:
        raise UsageError(f"--log: {path} holds no finished part yet") from None
    config = first.provenance.get("config")
    if config is None:
        raise UsageError(
            f"--log: {path} does not say which world made it, so that its catalog is unknown; "
            "in Python, fit takes such a log and a catalog"
        )
    return log, World(WorldConfig.from_json(config))
