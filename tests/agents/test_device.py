"""Updates stay on their device, looked at without a GPU: PyTorch's `meta` device stands in for one.

A tensor on `meta` has a shape and no numbers, so an update runs there and computes nothing. What is watched
is every operation: one that has tensors of two devices would fail on a GPU.
"""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from torch.fx.experimental import _config as symbolic
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from agents import AGENTS, OFFLINE, AgentSpec
from agents.learning.offline import OfflineAgent

SETTINGS = "dim=8,epochs=0.5,batch_size=64"
NETWORKS = [name for name in OFFLINE if issubclass(AGENTS[name], OfflineAgent)]
VARIANTS = [
    *(f"sqn:{SETTINGS},encoder={encoder}" for encoder in ("caser", "nextitnet", "sasrec")),
    f"next-item:{SETTINGS},num_sampled=20",
    f"snqn:{SETTINGS},dueling=true,n_steps=3",
    f"ips:{SETTINGS},behaviour=estimated",
]
MOVES = ("copy_", "_to_copy")


class OneDevice(TorchDispatchMode):
    """Refuses operations on tensors of two devices; numbers, tensors without axes, may come from the CPU."""

    def __torch_dispatch__(self, operation, types, arguments=(), keywords=None):
        given = tree_leaves((arguments, keywords or {}))
        devices = {one.device.type for one in given if isinstance(one, torch.Tensor) and one.dim() > 0}
        if len(devices) > 1 and operation._schema.name.removeprefix("aten::") not in MOVES:
            raise AssertionError(f"{operation} has tensors on {' and '.join(sorted(devices))}")
        if operation is torch.ops.aten._local_scalar_dense.default and arguments[0].is_meta:
            return 1  # a search that asks whether it can do better goes on
        return operation(*arguments, **(keywords or {}))


class EnoughError(Exception):
    """Three updates have been made."""


def three_updates(spec, log, catalog):
    """Let an agent begin a training on the stand-in, and update three times."""
    agent, adam = AgentSpec.parse(spec).make(), torch.optim.Adam
    update, made = agent.update, []

    def watched(*arguments):
        with OneDevice():
            made.append(update(*arguments))
        if len(made) == 3:
            raise EnoughError
        return made[-1]

    agent.update = watched
    with (
        mock.patch("agents.learning.offline.find_device", return_value=torch.device("meta")),
        mock.patch.object(symbolic, "meta_nonzero_assume_all_nonzero", True),
        mock.patch("torch.optim.Adam", lambda *args, **kw: adam(*args, **{**kw, "fused": False})),
        pytest.raises(EnoughError),
    ):
        agent.fit(log, catalog, seed=0)
    return agent


@pytest.mark.parametrize("spec", [*(f"{name}:{SETTINGS}" for name in NETWORKS), *VARIANTS])
def test_updates_mix_no_devices(spec, world, log):
    agent = three_updates(spec, log, world.public_catalog)
    assert {parameter.device.type for parameter in agent.network.parameters()} == {"meta"}


def test_updates_on_slates_mix_no_devices(slate_world, slate_log):
    three_updates(f"snqn:{SETTINGS}", slate_log, slate_world.public_catalog)


def test_an_operation_on_two_devices_is_seen():
    there = torch.empty(3, 4, device="meta")
    for mixed in (lambda: there @ torch.zeros(4, 2), lambda: there[torch.tensor([0, 1])]):
        with pytest.raises(AssertionError, match="has tensors on cpu and meta"), OneDevice():
            mixed()
