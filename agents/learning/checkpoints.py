"""The whole state of a training as one file, so that it can be cut at any moment and go on bit for bit.

One safetensors file with JSON in its header, not a folder: replacing a file is one step of the file system,
replacing a folder is two, and between them there would be no checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from recsim_env.event_log import replacing

if TYPE_CHECKING:
    from agents.learning.batches import Minibatches
    from agents.learning.offline import OfflineAgent
    from agents.learning.training import Best

FORMAT = 2
KEY = "recsim_env"


class TrainingState:
    """All that a training changes: networks, optimizers, generator, place in the log, best weights so far."""

    def __init__(
        self,
        agent: OfflineAgent,
        optimizers: Sequence[torch.optim.Optimizer],
        generator: torch.Generator,
        batches: Minibatches,
        best: Best,
    ) -> None:
        self.agent, self.optimizers = agent, optimizers
        self.generator, self.batches, self.best = generator, batches, best

    def learned(self) -> dict[str, Tensor]:
        """Copies of networks' and optimizers' tensors, by name; all that an update changes but the draws."""
        tensors = {
            f"{module_name}.{name}": tensor
            for module_name, module in self._modules().items()
            for name, tensor in module.state_dict().items()
        }
        for number, optimizer in enumerate(self.optimizers):
            tensors |= optimizer_tensors(optimizer, f"optimizer.{number}")
        return {name: tensor.detach().clone() for name, tensor in tensors.items()}

    def put_back(self, tensors: Mapping[str, Tensor]) -> None:
        """The opposite of `learned`."""
        for name, module in self._modules().items():
            module.load_state_dict(below(name, tensors))
        for number, optimizer in enumerate(self.optimizers):
            load_optimizer(optimizer, below(f"optimizer.{number}", tensors))

    def take(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything, as tensors on the CPU and what JSON can hold."""
        tensors = {name: tensor.cpu() for name, tensor in self.learned().items()}
        tensors["generator"] = self.generator.get_state()
        tensors["pass_began"] = self.batches.pass_began.clone()
        weights, best = self.best.take()
        tensors |= {f"best.{name}": tensor for name, tensor in weights.items()}
        return tensors, {"step": self.batches.step, "counters": self._counters(), "best": best}

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """The opposite of `take`."""
        self.put_back(tensors)
        vars(self.agent).update(numbers["counters"])
        self.batches.go_to(numbers["step"], tensors["pass_began"])
        self.generator.set_state(tensors["generator"])
        self.best.restore(below("best", tensors), numbers["best"])

    def _modules(self) -> dict[str, nn.Module]:
        return {name: value for name, value in vars(self.agent).items() if isinstance(value, nn.Module)}

    def _counters(self) -> dict[str, float]:
        return {
            name: value
            for name, value in vars(self.agent).items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """The tensors of an optimizer's state, not copied, by "prefix.parameter.name"."""
    tensors = {}
    for parameter, entries in optimizer.state_dict()["state"].items():
        for name, value in entries.items():
            if not isinstance(value, Tensor):
                raise TypeError(
                    f"{prefix}: expected a state of tensors, got {name}={value!r}; "
                    "torch.optim.Adam has such a state"
                )
            tensors[f"{prefix}.{parameter}.{name}"] = value
    return tensors


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The opposite: tensors by "parameter.name", as `below` finds them."""
    entries: dict[int, dict[str, Tensor]] = {}
    for path, tensor in tensors.items():
        parameter, name = path.split(".")
        entries.setdefault(int(parameter), {})[name] = tensor
    optimizer.load_state_dict(optimizer.state_dict() | {"state": entries})


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with "prefix.", by what follows."""
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def write_checkpoint(
    path: Path, identity: Mapping[str, Any], tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]
) -> None:
    """Write a checkpoint in one move: there is always the old one or the new one."""
    header = {"format": FORMAT, "identity": dict(identity), **numbers}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        save_file(dict(tensors), temporary, metadata={KEY: json.dumps(header)})


def read_checkpoint(path: Path, identity: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and numbers of a checkpoint.

    Raises:
        ValueError: it cannot be read, or another training wrote it; the message says what differs.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise ValueError(f"checkpoint: {path} cannot be read ({error})") from error
    if header.get("format") != FORMAT:
        raise ValueError(
            f"checkpoint: {path} has format {header.get('format')!r}, this version reads {FORMAT}"
        )
    expected = json.loads(json.dumps(dict(identity)))
    for name in sorted({*expected, *header["identity"]}):
        found, wanted = header["identity"].get(name), expected.get(name)
        if found != wanted:
            raise ValueError(
                f"checkpoint: {path} belongs to another training: {name} is {found!r}, expected {wanted!r}"
            )
    return tensors, header
