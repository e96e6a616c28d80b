"""Trajectories of a few users in small worlds, to compare with: `python -m tests.golden.regenerate`.

Run it when the streams or the dynamics change on purpose; a change of the streams also raises STREAM_VERSION.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from recsim_env import World, WorldConfig
from recsim_env.streams import STREAM_VERSION
from tests.small_worlds import digest, serve, small_config

FILE = Path(__file__).parent / "trajectories.json"
USERS = [0, 1, 2, 3, 1_000_003, 2**40]
SEED, STEPS = 20_240_229, 8
NO_CARRY_OVER: dict[str, dict[str, Any]] = {
    "preferences": {
        "satiation_weight": 0.0,
        "satiation_shown": 0.0,
        "satiation_consumed": 0.0,
        "pull_click": 0.0,
        "pull_like": 0.0,
        "pull_purchase": 0.0,
    },
    "session": {"refund": 0.0},
}
WORLDS = {
    "one item": small_config(1),
    "one item, no carry-over": small_config(1, **NO_CARRY_OVER),
    "slate, logit": small_config(4, "logit"),
    "slate, cascade": small_config(4, "cascade"),
    "slate, position": small_config(4, "position", reward={"price_exponent": 1.0}),
}


def numbers(values: np.ndarray) -> list[Any]:
    """To eight digits, as nested lists."""
    return np.vectorize(lambda value: float(f"{value:.8g}"))(values.astype(np.float64)).tolist()


def trajectory(config: WorldConfig) -> dict[str, Any]:
    """Everything discrete as one hash and in part; real numbers from the beginning and the end."""
    served = serve(World(config), USERS, STEPS, seed=SEED)
    discrete = ("segment", "step", "ended", "history_items", "history_events", "last_slate", "last_events")
    counts = [served.outcomes[name] for name in ("clicks", "likes", "purchases")]
    first, last = served.states[0], served.states[-1]
    return {
        "discrete": digest(*(served.states[name] for name in discrete), *counts),
        "history_items": first["history_items"].tolist(),
        "history_events": first["history_events"].tolist(),
        "clicks": served.outcomes["clicks"].tolist(),
        "reward": numbers(served.outcomes["reward"]),
        "expected_reward": numbers(served.expected_reward),
        "patience": numbers(first["patience"]),
        "taste": numbers(first["taste"][0]),
        "interest": numbers(last["interest"][0]),
        "satiation": numbers(last["satiation"]),
        "satisfaction": numbers(last["satisfaction"]),
    }


def main() -> None:
    """Write the golden file."""
    worlds = {
        name: {"config": json.loads(config.to_json()), **trajectory(config)}
        for name, config in WORLDS.items()
    }
    golden = {"stream_version": STREAM_VERSION, "users": USERS, "seed": SEED, "worlds": worlds}
    FILE.write_text(json.dumps(golden, indent=1) + "\n")
    print(f"wrote {FILE.name}: {len(worlds)} worlds, streams of version {STREAM_VERSION}")


if __name__ == "__main__":
    main()
