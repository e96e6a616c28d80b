"""`recsim-env train`: one agent, from a log or from live users, into a folder that a cut run resumes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from benchmarks.choices import check_file, find_scenario
from benchmarks.errors import UsageError
from benchmarks.provenance import provenance
from benchmarks.simulate import one_size
from benchmarks.tasks import SETTINGS_FILE, check_writable, describe_difference, write_json
from benchmarks.training_display import TrainingDisplay
from recsim_env import World, WorldConfig, get_scenario
from recsim_env.event_log import EventLog, LogFolder, collect_log

if TYPE_CHECKING:
    from agents import AgentSpec, Training

AGENT, CHECKPOINT, RESULT, PROGRESS = "agent", "checkpoint.safetensors", "result.json", "progress.jsonl"
"""What a training's folder holds beside its settings; the checkpoint until the training is over."""

ONLINE_USERS = 64
"""Users whom an online learner serves at a time, as in `compare`."""

HELD_OUT = 0.1
"""Share of a log's users who are held out, unless told otherwise."""

TRAINING_FIELDS = ("held_out", "evaluate_every", "patience", "monitor")


@dataclass(frozen=True)
class Asked:
    """What the command line asks for; None where it leaves the choice to the settings file or the default.

    Attributes:
        agent: specification.
        log: file or folder of a log; or else
        scenario: whose users are served: by the logging policy, or live by an online learner.
        decisions: how many of them.
        seed: training seed, and stream seed of the scenario's users.
        changes: further fields of the agent's config, field=value each.
        settings: file of settings, as a training leaves it beside its weights.
        training: fields of `agents.Training`.
        device: where updates happen.
        resume: go on with what the folder holds.
        tensorboard: folder for TensorBoard's files.
    """

    agent: str
    log: Path | None
    scenario: str | None
    decisions: str
    seed: int | None
    changes: tuple[str, ...]
    settings: Path | None
    training: Mapping[str, Any]
    device: str
    resume: bool
    tensorboard: Path | None


def train(asked: Asked, out: Path, json_path: Path | None, console: Console) -> dict[str, Any]:
    """Train what is left to train and save the agent; returns what `result.json` holds."""
    check_file(json_path)
    spec, training, seed = choose(asked, out)
    data = _data_settings(asked, spec)
    settings = {
        "command": "train",
        "agent": spec.name,
        "config": {} if spec.config is None else asdict(spec.config),
        "training": {name: getattr(training, name) for name in TRAINING_FIELDS},
        "seed": seed,
        "data": data,
    }
    finished = open_folder(out, json.loads(json.dumps(settings)), asked.resume)
    if finished is not None:
        console.print(f"{out}: this training is over already", highlight=False, soft_wrap=True)
        return finished
    began = time.perf_counter()
    with TrainingDisplay(console, spec.text, out / PROGRESS, asked.tensorboard) as display:
        try:
            agent = _trained(asked, spec, training, seed, data, display)
        except (ValueError, KeyError, RuntimeError) as error:
            raise UsageError(f"{spec.text}: {error}") from error
        agent.save(out / AGENT)
    result = {
        "command": "train",
        "settings": settings,
        "provenance": provenance(),
        "seconds": round(time.perf_counter() - began, 2),
        "updates": display.step,
        "planned_updates": display.total,
        "metrics": display.last_metrics,
    }
    write_json(out / RESULT, result)
    (out / CHECKPOINT).unlink(missing_ok=True)
    console.print(describe(result, out), highlight=False, soft_wrap=True)
    if json_path is not None:
        write_json(json_path, result)
    return result


def choose(asked: Asked, out: Path) -> tuple[AgentSpec, Training, int]:
    """The agent, what goes on around its updates, and the seed: command line, settings file, defaults.

    Raises:
        UsageError: an unknown agent or field, a bad value, or an agent that does not learn so.
    """
    from agents import AgentSpec, Training, agent_class
    from agents.learning.offline import OfflineAgent
    from agents.learning.training import find_device

    stored = read_settings(asked.settings) if asked.settings else {}
    name = asked.agent.partition(":")[0]
    if stored and stored["agent"] != name:
        raise UsageError(f"--settings: {asked.settings} is for agent {stored['agent']!r}, got {name!r}")
    changes: dict[str, Any] = {**stored.get("config", {})}
    for change in asked.changes:
        field, given, value = change.partition("=")
        if not given:
            raise UsageError(f"--set: expected field=value, got {change!r}")
        changes[field.strip().replace("-", "_")] = value.strip()
    given_training = {key: value for key, value in asked.training.items() if value is not None}
    try:
        spec = AgentSpec.parse(asked.agent, changes)
        find_device(asked.device)
        training = Training(
            **{"held_out": HELD_OUT, **stored.get("training", {}), **given_training},
            device=asked.device,
            checkpoint=out / CHECKPOINT,
            scratch=out,
        )
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from error
    kind = agent_class(spec.name)
    if not hasattr(kind, "fit") and not hasattr(kind, "learn"):
        raise UsageError(f"agent {spec.name!r} learns nothing: it needs no training")
    if not issubclass(kind, OfflineAgent):
        unused = [*given_training, *(["device"] if asked.device != "cpu" else [])]
        if unused:
            raise UsageError(
                f"--{unused[0].replace('_', '-')}: agent {spec.name!r} trains in one go, on the CPU; "
                "held-out users, checkpoints and devices are for agents with a network that learn from logs"
            )
    seed = asked.seed if asked.seed is not None else stored.get("seed", 0)
    return spec, training, seed


def read_settings(path: Path) -> dict[str, Any]:
    """A file of settings: "agent", and where they are not the defaults "config", "training" and "seed".

    Raises:
        UsageError: it cannot be read, or is none.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--settings: {path} cannot be read ({error})") from error
    if not isinstance(stored, dict) or "agent" not in stored:
        raise UsageError(f"--settings: {path}: expected a JSON object with 'agent' and 'config'")
    return stored


def open_folder(out: Path, settings: dict[str, Any], resume: bool) -> dict[str, Any] | None:
    """Make the folder a training's; what it holds already of the same training, if that is over.

    Raises:
        UsageError: it holds another training, or this one and is not to be resumed.
    """
    check_writable(out)
    path = out / SETTINGS_FILE
    if not any((out / name).exists() for name in (CHECKPOINT, RESULT, AGENT)):
        (out / PROGRESS).unlink(missing_ok=True)  # of a run that came to nothing
    elif path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found != settings:
            raise UsageError(
                f"{out} holds another training ({describe_difference(found, settings)}). "
                "Give another folder with --out."
            )
        if not resume:
            raise UsageError(f"{out} holds this training: --resume goes on with it")
    write_json(path, settings)
    if (out / RESULT).is_file():
        finished: dict[str, Any] = json.loads((out / RESULT).read_text(encoding="utf-8"))
        return finished
    return None


def _data_settings(asked: Asked, spec: AgentSpec) -> dict[str, Any]:
    """What is learned from, as settings.

    Raises:
        UsageError: not exactly one source, or one that the agent does not learn from.
    """
    from agents import OFFLINE

    if (asked.log is None) == (asked.scenario is None):
        raise UsageError("expected either --log or --scenario")
    if asked.log is not None:
        if spec.name not in OFFLINE:
            raise UsageError(f"--log: agent {spec.name!r} learns from live users: give --scenario")
        return {"log": str(asked.log.resolve())}
    assert asked.scenario is not None
    scenario, decisions = find_scenario(asked.scenario), one_size("--decisions", asked.decisions)
    return {"scenario": scenario, "decisions": decisions}


def _trained(
    asked: Asked,
    spec: AgentSpec,
    training: Training,
    seed: int,
    data: Mapping[str, Any],
    display: TrainingDisplay,
) -> Any:
    """The agent, trained."""
    from agents import ONLINE

    agent = spec.make()
    if asked.log is None and spec.name in ONLINE:
        return _learn(agent, data, seed, display)
    if asked.log is not None:
        log, world = open_log(asked.log)
    else:
        log, world = _collect(data, seed, display)
    display.stage("training")
    from agents.learning.offline import OfflineAgent

    if isinstance(agent, OfflineAgent):
        return agent.fit(log, world.public_catalog, seed=seed, progress=display.update, training=training)
    whole = log if isinstance(log, EventLog) else log.load()
    return agent.fit(whole, world.public_catalog, seed=seed, progress=display.update)


def _learn(agent: Any, data: Mapping[str, Any], seed: int, display: TrainingDisplay) -> Any:
    import gymnasium as gym
    from gymnasium.vector import AutoresetMode

    env = gym.make_vec(data["scenario"], num_envs=ONLINE_USERS, autoreset_mode=AutoresetMode.DISABLED)
    env.reset(seed=seed)
    display.stage("learning from live users")
    try:
        return agent.learn(env, data["decisions"], seed=seed, progress=display.update)
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


def describe(result: Mapping[str, Any], out: Path) -> str:
    """The result as a sentence or two."""
    stopped = result["updates"] < result["planned_updates"]
    early = f", stopped early of {result['planned_updates']:,}" if stopped else ""
    return (
        f"{result['updates']:,} steps{early} in {result['seconds']:.1f} s. Agent, settings, progress: {out}\n"
        f"recsim-env evaluate {out} serves held-out users with it."
    )
