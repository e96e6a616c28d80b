"""What every learner knows of where it learned, and the folder that it is kept in."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from torch import Tensor

from agents.spec import Observation, ObservationSpec, catalog_fingerprint, check_catalog
from agents.storage import load_agent, save_agent

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog


class Learner(ABC):
    """An agent that has settings, learns in one scenario and with one catalog, and is saved as arrays.

    Subclasses name their `config_class`, and write `learned_arrays` and `restore`.

    Attributes:
        name: on the command line.
        needs_state: whether it reads the hidden state.
        learned: name of the attribute that it has once it has learned.
        config: an instance of `config_class`.
        spec: sizes of the scenario; num_topics: C; fingerprint: of the catalog. Set by learning.
    """

    name: ClassVar[str]
    needs_state: ClassVar[bool] = False
    config_class: ClassVar[type[Any]]
    learned: ClassVar[str] = "network"

    config: Any
    spec: ObservationSpec
    num_topics: int
    fingerprint: str

    def __init__(self, config: Any = None) -> None:
        self.config = self.config_class() if config is None else config
        if not isinstance(self.config, self.config_class):
            raise TypeError(f"config: expected {self.config_class.__name__}, got {type(config).__name__}")
        self.num_topics = 0

    @abstractmethod
    def learned_arrays(self) -> Mapping[str, Tensor]:
        """All that acting needs beyond settings, spec and topics: name -> tensor."""

    @abstractmethod
    def restore(self, arrays: Mapping[str, Tensor]) -> None:
        """Become what `learned_arrays` was taken from; settings, spec and topics are there already."""

    def belong_to(self, spec: ObservationSpec, public_catalog: PublicCatalog) -> None:
        """Know where it learns: the sizes of a scenario, and its catalog's topics and fingerprint."""
        self.spec, self.num_topics = spec, int(public_catalog.num_topics)
        self.fingerprint = catalog_fingerprint(public_catalog)

    def check_observation(self, observation: Observation) -> None:
        """Raise RuntimeError when the agent knows nothing yet, or what `spec.check` does."""
        self._check_learned("act")
        self.spec.check(observation)

    def check_catalog(self, public_catalog: PublicCatalog) -> None:
        """Raise ValueError when `public_catalog` is not the one that the agent learned with."""
        check_catalog(public_catalog, self.fingerprint)

    def save(self, folder: str | Path) -> None:
        """Write the agent to a folder, atomically (`agents.storage.save_agent`).

        Raises:
            RuntimeError: the agent has neither learned nor been loaded.
            FileExistsError: `folder` exists and is not an agent's folder.
        """
        self._check_learned("save")
        card = {
            "config": asdict(self.config),
            "spec": asdict(self.spec),
            "num_topics": self.num_topics,
            "catalog": self.fingerprint,
        }
        save_agent(folder, type(self).__name__, card, self.learned_arrays())

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read an agent that `save` wrote; it acts bit for bit as the saved one.

        Raises: as `agents.storage.load_agent`.
        """
        card, arrays = load_agent(folder, cls.__name__)
        agent = cls(cls.config_class(**card["config"]))
        agent.spec = ObservationSpec(**card["spec"])
        agent.num_topics = card.get("num_topics", 0)
        agent.fingerprint = card["catalog"]
        agent.restore(arrays)
        return agent

    def _check_learned(self, method: str) -> None:
        if not hasattr(self, self.learned):
            raise RuntimeError(f"{type(self).__name__}.{method}: let the agent learn or load it first")


def check_settings(config: Any, above_zero: tuple[str, ...] = (), shares: tuple[str, ...] = ()) -> None:
    """Raise ValueError when a named setting is not a finite number above 0, or a share not in [0, 1]."""
    for name in above_zero:
        value = getattr(config, name)
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name}: expected a finite number above 0, got {value}")
    for name in shares:
        value = getattr(config, name)
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name}: expected in [0, 1], got {value}")
