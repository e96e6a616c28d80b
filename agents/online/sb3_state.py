"""All that a DQN of Stable-Baselines3 changes while it learns, so that it can be cut and go on bit for bit.

Stable-Baselines3 saves its replay buffer by pickle, and neither its users nor its generators; here all of it
is tensors, and numbers that JSON can hold. To be used between two rollouts, inside
`agents.seeding.scoped_global_rng`, since the library draws from the process-wide generators.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import torch
from stable_baselines3 import DQN
from torch import Tensor

from agents.learning.checkpoints import below, load_optimizer, optimizer_tensors
from agents.online.live import restore_env, snapshot_of
from agents.online.n_step_replay import NStepDictReplayBuffer
from agents.online.sb3 import SB3VecEnv
from agents.seeding import global_draws, set_global_draws

COLUMNS = ("actions", "rewards", "dones", "timeouts")


def take(model: DQN, adapter: SB3VecEnv) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Networks, optimizer, replay, users, and the state of every generator."""
    buffer = replay_of(model)
    filled = buffer.size()
    draws, draw_numbers = global_draws()
    columns = {name: getattr(buffer, name) for name in COLUMNS}
    columns |= {f"now.{key}": column for key, column in buffer.observations.items()}
    columns |= {f"next.{key}": column for key, column in buffer.next_observations.items()}
    tensors = {
        **{f"policy.{name}": tensor for name, tensor in model.policy.state_dict().items()},
        **optimizer_tensors(model.policy.optimizer, "optimizer"),
        **{f"replay.{name}": torch.from_numpy(column[:filled]) for name, column in columns.items()},
        **snapshot_of(adapter.env),
        "returns": torch.from_numpy(adapter.returns),
        "lengths": torch.from_numpy(adapter.lengths),
        **{f"draws.{name}": tensor for name, tensor in draws.items()},
    }
    return {name: tensor.cpu() for name, tensor in tensors.items()}, {
        "draws": draw_numbers,
        "actions": adapter.action_space.np_random.bit_generator.state,
        "calls": model._n_calls,
        "updates": model._n_updates,
        "replay": {
            "next": buffer.pos,
            "full": buffer.full,
            "draws": buffer.generator.bit_generator.state,
        },
        "episodes": [episode["r"] for episode in model.ep_info_buffer or ()],
    }


def restore(
    model: DQN, adapter: SB3VecEnv, total: int, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]
) -> None:
    """The opposite, for a model made with the same arguments; it goes on to `total` decisions."""
    model.policy.load_state_dict(below("policy", tensors))
    load_optimizer(model.policy.optimizer, below("optimizer", tensors))
    buffer, columns = replay_of(model), below("replay", tensors)
    buffer.pos, buffer.full = numbers["replay"]["next"], numbers["replay"]["full"]
    buffer.generator.bit_generator.state = numbers["replay"]["draws"]
    for name in COLUMNS:
        getattr(buffer, name)[: buffer.size()] = columns[name].numpy()
    for prefix, kept in (("now", buffer.observations), ("next", buffer.next_observations)):
        for key, column in below(prefix, columns).items():
            kept[key][: buffer.size()] = column.numpy()
    model._last_obs = dict(restore_env(adapter.env, tensors))
    adapter.returns[:], adapter.lengths[:] = tensors["returns"].numpy(), tensors["lengths"].numpy()
    set_global_draws(below("draws", tensors), numbers["draws"])
    adapter.action_space.np_random.bit_generator.state = numbers["actions"]
    model.num_timesteps = numbers["decisions"]
    model._n_calls, model._n_updates = numbers["calls"], numbers["updates"]
    model._update_current_progress_remaining(model.num_timesteps, total)
    model.exploration_rate = model.exploration_schedule(model._current_progress_remaining)
    most = model._stats_window_size
    model.ep_info_buffer = deque(({"r": earned} for earned in numbers["episodes"]), maxlen=most)
    model.ep_success_buffer = deque(maxlen=most)


def replay_of(model: DQN) -> NStepDictReplayBuffer:
    """The model's replay buffer."""
    assert isinstance(model.replay_buffer, NStepDictReplayBuffer)
    return model.replay_buffer
