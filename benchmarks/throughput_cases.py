"""What `recsim-env throughput` measures: sizes, scenarios, and the simulator beside which it does so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recsim_env import SCENARIOS, get_scenario

CATALOGS = (1_000, 10_000, 100_000, 1_000_000)
SLATES = (1, 10)
BATCHES = (0, 1, 64, 1_024, 16_384)
"""Users side by side; 0 is the single environment."""

SIZED = "Storefront-v0"
"""The world that is measured at every size."""
YARDSTICK = "StorefrontSlate-v0"
"""What every scenario as it is is compared with."""
PEER = "SARDINE"
PEER_IDS = {1: "sardine/SingleItem-BoredInf-v0", 10: "sardine/SlateTopK-BoredInf-v0"}
PEER_BATCH = 32
PEER_ITEMS = 1_000


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        simulator: "recsim_env" or the peer's name.
        num_users: users side by side; 0 is the single environment.
        num_items, slate_size: of its world.
        scenario: its world; Storefront with other sizes, or any other as it is.
    """

    simulator: str
    num_users: int
    num_items: int
    slate_size: int
    scenario: str = SIZED

    @property
    def name(self) -> str:
        """For progress and messages."""
        users = f"{self.num_users:,} users" if self.num_users else "single"
        world = f", {self.scenario}" if self.scenario != SIZED else ""
        return f"{self.simulator}{world}, {users}, {self.num_items:,} items, slate {self.slate_size}"

    def process_case(self, seconds: float) -> dict[str, Any]:
        """What `throughput_row` measures."""
        kind = "batch" if self.num_users else "single"
        common: dict[str, Any] = {"kind": kind, "num_users": self.num_users, "seconds": seconds, "seed": 0}
        if self.simulator == PEER:
            options: dict[str, Any] = {"vectorization_mode": "sync"} if self.num_users else {}
            return {**common, "id": PEER_IDS[self.slate_size], "imports": ["sardine"], "options": options}
        sizes = {"catalog": {"num_items": self.num_items}, "slate_size": self.slate_size}
        options = sizes if self.scenario == SIZED else {}
        return {
            **common,
            "id": get_scenario(self.scenario).id,
            "imports": ["recsim_env"],
            "options": options,
        }


def scenario_cases(num_users: int) -> list[Case]:
    """One batch of every scenario as it is, the yardstick first."""
    names = [YARDSTICK, *(name for name in SCENARIOS if name != YARDSTICK)]
    configs = {name: get_scenario(name).config for name in names}
    return [
        Case("recsim_env", num_users, config.catalog.num_items, config.slate_size, name)
        for name, config in configs.items()
    ]
