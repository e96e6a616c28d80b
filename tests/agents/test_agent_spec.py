"""Agents by name and settings: what a line of text means, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from agents import DQN, SQN, AgentSpec, DQNConfig, SQNConfig, split_specs
from agents.spec_text import read_fields, split_spec


@dataclass(frozen=True)
class Every:
    rate: float = 1.0
    count: int = 1
    flag: bool = False
    name: str = "a"
    rule: Literal["min", "max"] = "min"
    sizes: tuple[int, ...] = ()
    cap: float | None = None


def test_a_specification_is_a_name_and_fields():
    spec = AgentSpec.parse(" sqn:gamma=0, acting-head=q ")
    assert (spec.name, spec.text) == ("sqn", "sqn:gamma=0,acting_head=q")
    assert spec.config == SQNConfig(gamma=0.0, acting_head="q")
    agent = spec.make()
    assert type(agent) is SQN
    assert agent.config is spec.config
    assert AgentSpec.parse("dqn:hidden=[64,32],gamma=0.9").config == DQNConfig(hidden=(64, 32), gamma=0.9)
    assert type(AgentSpec.parse("dqn").make()) is DQN
    assert AgentSpec.parse("random") == ("random", None, "random")


def test_what_the_text_says_counts_more_than_settings():
    spec = AgentSpec.parse("sqn:gamma=0.2", {"gamma": 0.9, "dim": "8"})
    assert (spec.config.gamma, spec.config.dim) == (0.2, 8)
    assert spec.text == "sqn:gamma=0.2"


def test_lists_of_specifications():
    text = "dqn, sqn:gamma=0,acting_head=q,ips , dqn:hidden=[8,4],gamma=0.1"
    assert split_specs(text) == ["dqn", "sqn:gamma=0,acting_head=q", "ips", "dqn:hidden=[8,4],gamma=0.1"]
    assert split_specs("") == []
    assert split_spec("a:b=[1,2],c=d=e") == ("a", {"b": "[1,2]", "c": "d=e"})


def test_text_is_read_as_the_type_of_its_field():
    texts = {
        "rate": "1e-3",
        "count": "12",
        "flag": "True",
        "name": "x",
        "rule": "max",
        "sizes": "[3,4]",
        "cap": "2",
    }
    expected = {"rate": 1e-3, "count": 12, "flag": True, "name": "x", "rule": "max"}
    assert read_fields(Every, texts) == {**expected, "sizes": (3, 4), "cap": 2.0}
    assert read_fields(Every, {"cap": "none", "count": 3}) == {"cap": None, "count": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sqm", r"unknown agent 'sqm'; did you mean 'sqn'"),
        ("sqn:gama=1", r"sqn:gama=1: unknown field 'gama'; did you mean 'gamma'"),
        ("sqn:gamma=2", r"gamma: expected in \[0, 1\), or 1 if episodic, got 2\.0"),
        ("sqn:gamma", r"gamma: expected a number, got ''"),
        ("sqn:batch_size=1.5", "batch_size: expected an integer, got '1.5'"),
        ("sqn:acting_head=both", "acting_head: expected one of ce, q, got 'both'"),
        ("dqn:hidden=64", r"hidden: expected a list such as \[64,32\], got '64'"),
        ("random:seed=1", "agent 'random' has no settings, got seed"),
    ],
)
def test_mistakes_name_what_was_expected(text, message):
    with pytest.raises(ValueError, match=message):
        AgentSpec.parse(text)


def test_flags_are_true_or_false():
    with pytest.raises(ValueError, match="flag: expected true or false, got '1'"):
        read_fields(Every, {"flag": "1"})
