"""Logs in other libraries' forms and back. pandas, polars and Minari come with the extra `exchange`."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from recsim_env.event_log import EventLog, collect_log
from recsim_env.event_log.exchange import (
    d3rlpy_arrays,
    from_arrow,
    from_minari,
    to_arrow,
    to_minari,
    to_pandas,
    to_polars,
)
from recsim_env.wrappers import HistoryFlattener
from tests.event_log.tilted import Tilted
from tests.small_worlds import small_world


def needed(library):
    return pytest.importorskip(library, reason=f"{library} comes with the extra `exchange`")


@pytest.fixture(scope="module", params=[1, 4], ids=["items", "slates"])
def log(request):
    slate_size = request.param
    log = collect_log(small_world(slate_size), Tilted(slate_size), 400, seed=1, max_steps=6)
    return log.with_columns(
        item_propensity=np.full((len(log), slate_size), 0.5), hour=np.arange(len(log))[:, None]
    )


def assert_same(one, other):
    assert list(one.columns) == list(other.columns)
    for name, column in one.columns.items():
        np.testing.assert_array_equal(column, other.columns[name], err_msg=name)
        assert column.dtype == other.columns[name].dtype
    assert (one.policy, one.provenance) == (other.policy, other.provenance)


def test_arrow_and_back(log):
    table = to_arrow(log)
    assert table.num_rows == len(log)
    assert_same(from_arrow(table, log.policy, log.provenance), log)


def test_pandas_has_every_column(log):
    needed("pandas")
    frame = to_pandas(log)
    assert list(frame.columns) == list(log.columns)
    np.testing.assert_array_equal(np.stack(frame["action"]), log.action)
    np.testing.assert_array_equal(frame["propensity"], log.propensity)


def test_polars_has_every_column_and_reads_the_files(log, tmp_path):
    polars = needed("polars")
    frame = to_polars(log)
    assert frame.columns == list(log.columns)
    np.testing.assert_array_equal(frame["history_items"].to_numpy(), log.history_items)
    log.save(tmp_path / "log.parquet")
    clicks = polars.scan_parquet(tmp_path / "log.parquet").filter(polars.col("reward") > 0).collect()
    assert len(clicks) == (log.reward > 0).sum()


def test_minari_and_back(log, tmp_path, monkeypatch):
    minari = needed("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    dataset = to_minari(log, f"recsim_env/log{log.slate_size}-v0")
    assert dataset.total_steps == len(log)
    assert dataset.total_episodes == log.num_users
    episode = next(iter(dataset.iterate_episodes([2])))
    rows = np.flatnonzero(log.user_id == 2)
    assert len(episode.observations["history_items"]) == len(rows) + 1
    np.testing.assert_array_equal(episode.infos["propensity"], log.propensity[rows])
    for key, seen in log.next_observation(rows[-1:]).items():
        np.testing.assert_array_equal(episode.observations[key][-1:], seen)
    assert dataset.action_space.contains(episode.actions[0])
    assert dataset.observation_space.contains(
        {key: np.asarray(column[0]) for key, column in episode.observations.items()}
    )
    assert_same(from_minari(f"recsim_env/log{log.slate_size}-v0"), log)
    env = dataset.recover_environment()
    assert env.unwrapped.world.config == small_world(log.slate_size).config
    assert env.spec.max_episode_steps == 6
    assert env.action_space.contains(episode.actions[0])
    dataset.storage.update_metadata({"recsim_env": None})
    with pytest.raises(ValueError, match="was not written from an event log"):
        from_minari(minari.load_dataset(f"recsim_env/log{log.slate_size}-v0"))


def test_a_log_that_no_world_made_has_no_environment(tmp_path, monkeypatch):
    needed("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    log = collect_log(small_world(1), Tilted(1), 40, seed=1, max_steps=6)
    foreign = EventLog.from_columns(log.columns, "shop", {})
    assert to_minari(foreign, "recsim_env/shop-v0", num_items=60).env_spec is None


def test_arrays_for_d3rlpy():
    world = small_world(1)
    log = collect_log(world, Tilted(1), 400, seed=1, max_steps=6)
    arrays = d3rlpy_arrays(log, HistoryFlattener(world))
    assert {name: array.dtype.kind for name, array in arrays.items()} == {
        "observations": "f", "actions": "i", "rewards": "f", "terminals": "f", "timeouts": "f",
    }  # fmt: skip
    assert {len(array) for array in arrays.values()} == {len(log)}
    np.testing.assert_array_equal(arrays["observations"][5], HistoryFlattener(world)(log.observation([5]))[0])
    assert (arrays["terminals"] + arrays["timeouts"] <= 1).all()
    assert (arrays["terminals"] + arrays["timeouts"])[-1] == 1
    slates = collect_log(small_world(4), Tilted(4), 10, seed=1, max_steps=6)
    with pytest.raises(ValueError, match="expected single items, got slates of 4"):
        d3rlpy_arrays(slates, HistoryFlattener(small_world(4)))


def test_a_library_that_is_not_there_is_named(monkeypatch):
    log = collect_log(small_world(1), Tilted(1), 10, seed=1, max_steps=6)
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ImportError, match=r"polars is not installed: pip install 'recsim_env\[exchange\]'"):
        to_polars(log)
