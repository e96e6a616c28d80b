"""Names on the command line, and the interface behind each of them."""

from __future__ import annotations

import pytest

import agents
from agents import (
    AGENTS,
    OFFLINE,
    ONLINE,
    LoggingPolicy,
    MyopicOracle,
    Popular,
    RandomPolicy,
    agent_class,
    load_saved,
    make_logging_policy,
)
from agents.storage import save_agent
from tests.small_worlds import small_world


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


def test_a_saved_agent_is_found_by_its_folder(tmp_path):
    world = small_world(4)
    saved = (RandomPolicy(60, 4), Popular(world.public_catalog, 4), LoggingPolicy(world.public_catalog, 4))
    for agent in (*saved, MyopicOracle(world)):
        agent.save(tmp_path / agent.name)
        assert type(load_saved(tmp_path / agent.name)) is type(agent)


def test_the_agent_of_a_training_is_found_by_the_training_s_folder(tmp_path):
    world = small_world(4)
    Popular(world.public_catalog, 4).save(tmp_path / "training" / "agent")
    assert isinstance(load_saved(tmp_path / "training"), Popular)
    assert isinstance(make_logging_policy(f"{tmp_path}/training", world).policy, Popular)


def test_a_folder_of_something_else_is_refused(tmp_path):
    save_agent(tmp_path / "a", "Kind", {}, {})
    with pytest.raises(ValueError, match="holds a 'Kind' agent, expected one of RandomPolicy, Popular"):
        load_saved(tmp_path / "a")
    with pytest.raises(FileNotFoundError, match="holds no saved agent"):
        load_saved(tmp_path)
