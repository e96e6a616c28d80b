"""Folders of agents: written in one move, read back exactly, refused with a reason."""

from __future__ import annotations

import json

import pytest
import torch

from agents import storage
from agents.storage import load_agent, save_agent


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_round_trip(tmp_path):
    arrays = {"weight": torch.arange(6.0).reshape(2, 3).T, "ids": torch.tensor([1, 2**40])}
    save_agent(tmp_path / "a", "Kind", {"gamma": 0.5}, arrays)
    card, loaded = load_agent(tmp_path / "a", "Kind")
    assert card == {"format": 1, "kind": "Kind", "gamma": 0.5}
    assert loaded.keys() == arrays.keys()
    assert all(torch.equal(loaded[name], arrays[name]) for name in arrays)
    assert names_in(tmp_path) == ["a"]
    assert names_in(tmp_path / "a") == ["agent.json", "arrays.safetensors"]


def test_tensors_that_share_memory_are_saved(tmp_path):
    shared = torch.ones(3)
    save_agent(tmp_path / "a", "Kind", {}, {"x": shared, "y": shared})
    assert load_agent(tmp_path / "a", "Kind")[1]["y"].tolist() == [1, 1, 1]


def test_saving_again_replaces(tmp_path):
    for value in (1, 2):
        save_agent(tmp_path / "a", "Kind", {"value": value}, {})
    assert load_agent(tmp_path / "a", "Kind")[0]["value"] == 2
    assert names_in(tmp_path) == ["a"]


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"agent\.json"):
        save_agent(tmp_path, "Kind", {}, {})
    assert names_in(tmp_path) == ["thesis.txt"]


def test_a_failed_save_leaves_the_old_agent(tmp_path, monkeypatch):
    save_agent(tmp_path / "a", "Kind", {"value": 1}, {})

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(storage, "save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        save_agent(tmp_path / "a", "Kind", {"value": 2}, {})
    assert load_agent(tmp_path / "a", "Kind")[0]["value"] == 1
    assert names_in(tmp_path) == ["a"]


def test_what_is_not_an_agent_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no saved agent"):
        load_agent(tmp_path / "missing", "Kind")
    save_agent(tmp_path / "a", "Kind", {}, {})
    with pytest.raises(ValueError, match=r"holds a 'Kind' agent, expected 'Other'"):
        load_agent(tmp_path / "a", "Other")
    (tmp_path / "a" / "agent.json").write_text(json.dumps({"format": 99, "kind": "Kind"}))
    with pytest.raises(ValueError, match="format 99"):
        load_agent(tmp_path / "a", "Kind")
