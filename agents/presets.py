"""Named settings of value learners for worlds whose optimum is known, beside their controls.

They are for a log of the uniform policy. Chosen on seeds from 1,000 on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agents.double_dqn import DoubleDQNConfig
from agents.heads import HeadConfig
from agents.sqn import SQNConfig

_TINY_DQN = DoubleDQNConfig(
    dim=16, batch_size=1_024, epochs=4.0, learning_rate=0.02, gamma=1.0, episodic=True, target_interval=10
)
_TINY_SQN = SQNConfig(dim=32, gamma=1.0, episodic=True, acting_head="q")

KNOWN_OPTIMUM: dict[str, dict[str, tuple[str, Any]]] = {
    "Tiny-v0": {
        "double-dqn": ("double-dqn", _TINY_DQN),
        "double-dqn, EVAL": ("double-dqn", replace(_TINY_DQN, bootstrap="logged")),
        "double-dqn, gamma 0": ("double-dqn", replace(_TINY_DQN, gamma=0.0)),
        "sqn, Q head": ("sqn", _TINY_SQN),
        "sqn, Q head, gamma 0": ("sqn", replace(_TINY_SQN, gamma=0.0)),
        "supervised": ("next-item", HeadConfig(dim=16, batch_size=1_024, epochs=4.0, learning_rate=0.02)),
    }
}
"""Scenario -> name of the row -> name of the agent in `agents.registry`, and its config."""
