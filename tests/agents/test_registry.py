"""Names on the command line, and the interface behind each of them."""

from __future__ import annotations

import pytest

import agents
from agents import AGENTS, OFFLINE, ONLINE, agent_class


def test_the_package_says_whose_it_is():
    assert agents.PROJECT == "recsim_env"
    assert all(hasattr(agents, name) for name in agents.__all__)


def test_the_names_are_those_of_the_classes():
    assert {name: agent_class(name).name for name in AGENTS} == {name: name for name in AGENTS}
    with pytest.raises(ValueError, match="unknown name 'slq'; expected one of random, popular"):
        agent_class("slq")


@pytest.mark.parametrize("name", AGENTS)
def test_every_agent_acts_saves_and_loads(name):
    kind = agent_class(name)
    assert all(callable(getattr(kind, method)) for method in ("act", "save", "load"))
    assert kind.needs_state is (name == "myopic")
    assert hasattr(kind, "fit") is (name in OFFLINE)
    assert hasattr(kind, "learn") is (name in ONLINE)
