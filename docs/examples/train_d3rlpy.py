"""A learner of d3rlpy trains on an exported log, in an environment of its own: d3rlpy pins Gymnasium 1.0.

    python docs/examples/train_d3rlpy.py arrays.npz observations.npy greedy.npy --steps 3000

`arrays.npz` holds what `recsim_env.event_log.exchange.d3rlpy_arrays` returns, saved by `numpy.savez`;
`observations.npy` further observations, [n, F] float32. What is written are the items that the trained
Q-network finds best for those, [n] int64.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np


def main() -> None:
    """Train double DQN on the arrays and save its greedy items."""
    import d3rlpy

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("arrays", type=Path)
    parser.add_argument("observations", type=Path)
    parser.add_argument("greedy", type=Path)
    parser.add_argument("--steps", type=int, default=3_000)
    parser.add_argument("--gamma", type=float, default=0.9)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with np.load(chosen.arrays) as stored:
        arrays = {name: stored[name] for name in stored.files}
    d3rlpy.seed(chosen.seed)
    dataset = d3rlpy.dataset.MDPDataset(
        **arrays,
        action_space=d3rlpy.ActionSpace.DISCRETE,
        action_size=int(arrays["actions"].max()) + 1,
    )
    learner = d3rlpy.algos.DoubleDQNConfig(
        learning_rate=1e-3, batch_size=256, gamma=chosen.gamma, target_update_interval=200
    ).create()
    learner.fit(
        dataset,
        n_steps=chosen.steps,
        n_steps_per_epoch=chosen.steps,
        show_progress=False,
        logger_adapter=d3rlpy.logging.NoopAdapterFactory(),
    )
    np.save(chosen.greedy, learner.predict(np.load(chosen.observations)).astype(np.int64))


if __name__ == "__main__":
    main()
