"""The loop that trains offline learners: updates, held-out estimates, early stopping, checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from agents.learning.batches import LogTensors, Minibatches
from agents.learning.checkpoints import TrainingState, read_checkpoint, write_checkpoint

if TYPE_CHECKING:
    from agents.learning.held_out import HeldOut
    from agents.learning.offline import OfflineAgent

Progress = Callable[[int, int, Mapping[str, float]], None]
"""progress(step, total, metrics): called now and then during training, and after its last step."""

REPORT_EVERY = 50


@dataclass(frozen=True)
class Training:
    """What goes on around the updates of a training; what the updates are is the agent's own config.

    Results depend on `held_out`, `evaluate_every`, `patience` and `monitor`, and on the device by rounding.

    Attributes:
        held_out: share of the log's users, in [0, 1), kept out of the updates and looked at in between; 0 for
            none.
        evaluate_every: updates between looks at them.
        patience: stop after so many looks without a better estimate, and go back to the best; 0: never.
        monitor: the estimate that says what is better, "return" or "loss"; see `HeldOut`.
        device: where the updates happen, such as "cpu" or "cuda"; acting is always on the CPU.
        checkpoint: file to go on from if it exists, and to write; None for no checkpoints.
        checkpoint_every: updates between checkpoints.
        scratch: folder for the columns of a log that is a folder; None for the system's temporary one.
    """

    held_out: float = 0.0
    evaluate_every: int = 500
    patience: int = 0
    monitor: Literal["return", "loss"] = "return"
    device: str = "cpu"
    checkpoint: Path | None = None
    checkpoint_every: int = 500
    scratch: Path | None = None

    def __post_init__(self) -> None:
        for name in ("checkpoint", "scratch"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, Path(getattr(self, name)))
        if not 0.0 <= self.held_out < 1.0:
            raise ValueError(f"held_out: expected in [0, 1), got {self.held_out}")
        for name, least in (("evaluate_every", 1), ("patience", 0), ("checkpoint_every", 1)):
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= least):
                raise ValueError(f"{name}: expected an integer of at least {least}, got {value!r}")
        if self.monitor not in ("return", "loss"):
            raise ValueError(f"monitor: expected 'return' or 'loss', got {self.monitor!r}")
        if self.patience and not self.held_out:
            raise ValueError("patience: stopping early needs held_out above 0, got 0")

    @property
    def settings(self) -> dict[str, Any]:
        """The fields that results depend on, beyond rounding."""
        return {
            "held_out": self.held_out,
            "evaluate_every": self.evaluate_every,
            "patience": self.patience,
            "monitor": self.monitor,
        }


def find_device(name: str) -> torch.device:
    """The device of this name.

    Raises:
        ValueError: there is no such device, here or at all.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device: expected one such as 'cpu' or 'cuda', got {name!r}") from error
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device: expected 'cpu' or 'cuda', got {name!r}")
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= available:
        raise ValueError(f"device: {name!r} is not there: PyTorch finds {available} CUDA devices")
    return device


class Best:
    """The best held-out estimate so far, the weights that had it, and how long ago that was."""

    def __init__(self) -> None:
        self.value, self.step, self.waited = -math.inf, 0, 0
        self.weights: dict[str, Tensor] = {}

    def look(self, value: float, step: int, weights: Mapping[str, Tensor]) -> None:
        """Compare; higher is better, and an undefined estimate (NaN) says nothing."""
        if value > self.value:
            self.value, self.step, self.waited = value, step, 0
            self.weights = {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}
        elif not math.isnan(value):
            self.waited += 1

    def take(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What `restore` needs: the weights, and what JSON can hold."""
        value = self.value if self.weights else None
        return self.weights, {"value": value, "step": self.step, "waited": self.waited}

    def restore(self, weights: dict[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """The opposite of `take`."""
        self.weights, self.step, self.waited = weights, numbers["step"], numbers["waited"]
        self.value = -math.inf if numbers["value"] is None else numbers["value"]


def train(
    agent: OfflineAgent,
    data: LogTensors,
    held_out: HeldOut | None,
    generator: torch.Generator,
    training: Training,
    identity: Mapping[str, Any],
    progress: Progress,
) -> None:
    """Update an agent minibatch by minibatch; the learning rate falls linearly to 0.

    Deterministic given the generator. A training that was cut at any moment and is started again with the
    same arguments goes on behind its checkpoint and ends, on the CPU, with the same bits as one that was not.

    Args:
        agent: with its network on the training's device.
        data: what it learns from, on the CPU.
        held_out: what it does not learn from; None exactly where `training.held_out` is 0.
        generator: source of minibatches and every other draw.
        training: what goes on around the updates.
        identity: JSON-serialisable: what tells this training from others; a checkpoint must have the same.
        progress: called with what the updates report, and where it was looked at, `held_out_loss`,
            `held_out_return` and `held_out_rows`.

    Raises:
        ValueError: the checkpoint belongs to another training, or cannot be read.
    """
    config, optimizers = agent.config, begin(agent, data)
    data = data.to(agent.device)
    total, best = config.num_updates(len(data)), Best()
    batches = Minibatches(len(data), config.batch_size, generator)
    state = TrainingState(agent, optimizers, generator, batches, best)
    if training.checkpoint is not None and training.checkpoint.exists():
        state.restore(*read_checkpoint(training.checkpoint, identity))
    stopped = _is_over(best, training)
    while batches.step < total and not stopped:
        done = batches.step / total
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = config.learning_rate * (1 - done)
        measured = agent.update(data, next(batches).to(agent.device), done, generator)
        step = batches.step
        metrics: dict[str, float] = {}
        if held_out is not None and (step % training.evaluate_every == 0 or step == total):
            metrics = held_out.look(agent, state, done)
            sign = 1.0 if training.monitor == "return" else -1.0
            best.look(
                sign * metrics.get(f"held_out_{training.monitor}", math.nan), step, agent.network.state_dict()
            )
            stopped = _is_over(best, training)
        over = stopped or step == total
        if training.checkpoint is not None and (step % training.checkpoint_every == 0 or over):
            write_checkpoint(training.checkpoint, identity, *state.take())
        if step % REPORT_EVERY == 0 or over or metrics:
            progress(step, total, {key: value.item() for key, value in measured.items()} | metrics)
    if training.patience and best.weights:
        agent.network.load_state_dict(best.weights)


def begin(agent: OfflineAgent, data: LogTensors) -> list[torch.optim.Optimizer]:
    """`agent.begin` on the CPU's columns; the tensors that it makes go to the agent's device."""
    optimizers = agent.begin(data)
    for name, value in list(vars(agent).items()):
        if isinstance(value, Tensor):
            setattr(agent, name, value.to(agent.device))
    return optimizers


def _is_over(best: Best, training: Training) -> bool:
    return 0 < training.patience <= best.waited


def identity_of(
    agent: OfflineAgent, data: LogTensors, training: Training, total: int, seed: int
) -> dict[str, Any]:
    """What tells a training from others."""
    return {
        "agent": type(agent).__name__,
        "config": asdict(agent.config),
        "spec": asdict(agent.spec),
        "catalog": agent.fingerprint,
        "training": training.settings,
        "seed": seed,
        "log": data.digest(),
        "updates": total,
    }
