"""`recsim-env train`: one agent, from a log or from live users, into a folder that a cut run resumes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from benchmarks.choices import check_file
from benchmarks.errors import UsageError
from benchmarks.saving import stamped
from benchmarks.tasks import SETTINGS_FILE, check_writable, describe_difference, write_json
from benchmarks.training_data import data_settings, trained
from benchmarks.training_display import TrainingDisplay

if TYPE_CHECKING:
    from agents import AgentSpec, LiveTraining, Training

CHECKPOINT, RESULT, PROGRESS = "checkpoint.safetensors", "result.json", "progress.jsonl"
"""What a training's folder holds beside settings and agent; the checkpoint until the training is over."""

HELD_OUT, HELD_OUT_LIVE = 0.1, 200
"""Share of a log's users who are held out, and how many live ones are looked at, unless told otherwise."""


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
        training: fields of `agents.Training`, or of `agents.LiveTraining`.
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
    from agents.storage import TRAINED

    check_file(json_path)
    spec, training, seed = choose(asked, out)
    data = data_settings(asked.log, asked.scenario, asked.decisions, spec)
    settings = {
        "command": "train",
        "agent": spec.name,
        "config": {} if spec.config is None else asdict(spec.config),
        "training": training.settings,
        "seed": seed,
        "data": data,
    }
    finished = open_folder(out, json.loads(json.dumps(settings)), asked.resume)
    if finished is not None:
        console.print(f"{out}: this training is over already", highlight=False, soft_wrap=True)
        if json_path is not None:
            write_json(json_path, finished)
        return finished
    began = time.perf_counter()
    with TrainingDisplay(console, spec.text, out / PROGRESS, asked.tensorboard) as display:
        try:
            agent = trained(asked.log, spec, training, seed, data, display)
        except (ValueError, KeyError, RuntimeError) as error:
            raise UsageError(f"{spec.text}: {error}") from error
        agent.save(out / TRAINED)
    result = stamped(
        "train",
        settings=settings,
        seconds=round(time.perf_counter() - began, 2),
        updates=display.step,
        planned_updates=display.total,
        metrics=display.last_metrics,
    )
    write_json(out / RESULT, result)
    (out / CHECKPOINT).unlink(missing_ok=True)
    console.print(describe(result, out), highlight=False, soft_wrap=True)
    if json_path is not None:
        write_json(json_path, result)
    return result


def choose(asked: Asked, out: Path) -> tuple[AgentSpec, Training | LiveTraining, int]:
    """The agent, what goes on around its updates, and the seed: command line, settings file, defaults.

    Raises:
        UsageError: an unknown agent or field, a bad value, or an agent that does not learn so.
    """
    from agents import AgentSpec, agent_class
    from agents.learning.offline import OfflineAgent
    from agents.learning.training import find_device
    from agents.online.online_agent import OnlineAgent

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
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from error
    kind = agent_class(spec.name)
    if not hasattr(kind, "fit") and not hasattr(kind, "learn"):
        raise UsageError(f"agent {spec.name!r} learns nothing: it needs no training")
    if not issubclass(kind, OfflineAgent | OnlineAgent):
        unused = [*given_training, *(["device"] if asked.device != "cpu" else [])]
        if unused:
            raise UsageError(
                f"--{unused[0].replace('_', '-')}: agent {spec.name!r} counts, in one go, on the CPU; "
                "held-out users, checkpoints and devices are for agents that learn step by step"
            )
    around = {**stored.get("training", {}), **given_training}
    try:
        training = around_learning(around, issubclass(kind, OnlineAgent), asked.device, out)
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from error
    seed = asked.seed if asked.seed is not None else stored.get("seed", 0)
    return spec, training, seed


def around_learning(fields: Mapping[str, Any], live: bool, device: str, out: Path) -> Training | LiveTraining:
    """What goes on around the updates, with the command's defaults.

    Raises:
        ValueError, TypeError: a bad value, or a field that learning from live users does not have.
    """
    from agents import LiveTraining, Training

    if not live:
        known = {"held_out": HELD_OUT, **fields}
        return Training(**known, device=device, checkpoint=out / CHECKPOINT, scratch=out)
    others = dict(fields)
    users = others.pop("held_out", others.pop("held_out_users", HELD_OUT_LIVE))
    if not float(users).is_integer():
        raise ValueError(
            f"held_out: expected a whole number of users, as the agent learns from live ones, got {users}"
        )
    if "monitor" in others:
        raise ValueError("monitor: of live users the return is looked at; the option is for logs")
    return LiveTraining(int(users), **others, device=device, checkpoint=out / CHECKPOINT)


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
    from agents.storage import TRAINED

    check_writable(out)
    path = out / SETTINGS_FILE
    if not any((out / name).exists() for name in (CHECKPOINT, RESULT, TRAINED)):
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


def describe(result: Mapping[str, Any], out: Path) -> str:
    """The result as a sentence or two."""
    stopped = result["updates"] < result["planned_updates"]
    early = f", stopped early of {result['planned_updates']:,}" if stopped else ""
    return (
        f"{result['updates']:,} steps{early} in {result['seconds']:.1f} s. Agent, settings, progress: {out}\n"
        f"recsim-env evaluate {out} serves held-out users with it."
    )
