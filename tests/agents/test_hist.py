"""HIST: the counts of clicks that it predicts, by hand, and that its head learns them."""

from __future__ import annotations

import numpy as np
import torch

from agents import HIST, HISTConfig
from agents.learning.batches import LogTensors
from agents.supervised.hist import clicks_ahead, clicks_behind


def test_counts_of_clicks_by_hand():
    """Two sessions, of four decisions and of two."""
    clicks = np.array([1, 0, 2, 1, 0, 3])
    last = np.array([False, False, False, True, False, True])
    assert clicks_ahead(clicks, last).tolist() == [4, 3, 3, 1, 3, 3]
    assert clicks_behind(clicks, last).tolist() == [0, 1, 1, 3, 0, 0]


def test_the_horizon_head_learns_to_count(world, log):
    """What a user has clicked can be told from the history and the step: the head finds out."""
    agent = HIST(HISTConfig(dim=8, epochs=3.0, batch_size=128, counted="behind"))
    agent.fit(log, world.public_catalog, seed=0)
    data = LogTensors.from_log(log, agent.spec)
    network = agent.network[0]
    with torch.no_grad():
        predicted = network.horizon(network.encoder(data.observation)).squeeze(1).numpy()
    count = clicks_behind(data.clicked.sum(dim=1).numpy(), data.last.numpy())
    assert np.corrcoef(predicted, np.log1p(count))[0, 1] > 0.7
