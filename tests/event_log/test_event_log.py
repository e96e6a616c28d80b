"""An event log in memory: dtypes, observations, what it lacks, further columns, inconsistent ones."""

import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest

from recsim_env.event_log import COLUMNS, EventLog, MissingColumnError
from tests.event_log.synthetic import HISTORY, SLOTS, synthetic_log


def test_columns_are_brought_to_their_dtypes():
    log = synthetic_log()
    for name, (dtype, axis) in COLUMNS.items():
        assert getattr(log, name).dtype == dtype
        assert getattr(log, name).ndim == (2 if axis else 1)
    assert log.slate_size == SLOTS
    assert log.num_users == 30


def test_observation_has_the_environments_dtypes_and_shapes():
    observation = synthetic_log().observation(np.array([3, 1]))
    assert all(array.dtype == np.int64 for array in observation.values())
    assert {key: array.shape for key, array in observation.items()} == {
        "history_items": (2, HISTORY),
        "history_events": (2, HISTORY),
        "last_slate": (2, SLOTS),
        "last_events": (2, SLOTS),
        "segment": (2,),
        "session_step": (2, 1),
    }


def test_next_observation_is_the_next_rows_observation():
    log = synthetic_log()
    inner = np.flatnonzero(~(log.terminated | log.truncated))
    derived, logged = log.next_observation(inner), log.observation(inner + 1)
    assert derived.keys() == logged.keys()
    for key in logged:
        np.testing.assert_array_equal(derived[key], logged[key])
        assert derived[key].dtype == np.int64


def test_next_observation_leaves_the_log_alone():
    log, untouched = synthetic_log(), synthetic_log()
    log.next_observation()
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(log, name), getattr(untouched, name))


def test_first_users_keeps_whole_sessions():
    log = synthetic_log()
    part = log.first_users(20)
    assert len(part) >= 20
    assert (part.terminated | part.truncated)[-1]
    assert len(log.first_users(len(log))) == len(log)
    for bad in (0, len(log) + 1):
        with pytest.raises(ValueError, match="num_decisions"):
            log.first_users(bad)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reward": np.zeros(3)}, "reward: expected .* rows like user_id, got 3"),
        ({"action": np.zeros(4)}, r"action: expected 2 axes, got shape \[4\]"),
        ({"events": lambda log: log.events[:, :1]}, "events: expected width K = 2, got 1"),
        ({"step": lambda log: log.step * 0}, r"\(user_id, visit, step\) must increase"),
    ],
    ids=["rows", "axes", "width", "order"],
)
def test_inconsistent_columns_are_named(change, message):
    log = synthetic_log()
    change = {name: value(log) if callable(value) else value for name, value in change.items()}
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(log, **change)


def shop_log():
    """What a shop's click log has: no propensity, no price, no reward, no end of a session."""
    log = synthetic_log()
    names = ("user_id", "visit", "step", "action", "events")
    return EventLog(
        **{name: getattr(log, name) for name in names}, policy="", provenance={"source": "A shop"}
    )


def test_what_a_log_lacks_is_missing_and_says_so(tmp_path):
    log = shop_log()
    assert "propensity" in log.missing
    assert not hasattr(log, "propensity")
    with pytest.raises(MissingColumnError, match=r"log\.propensity: A shop does not record it"):
        _ = log.propensity
    with pytest.raises(MissingColumnError, match=r"log\.item_prob: A shop does not record it"):
        _ = log.item_prob
    with pytest.raises(AttributeError, match="has no attribute 'propensities'"):
        _ = log.propensities
    with pytest.raises(ValueError, match=r"log\.history_items: A shop does not record it"):
        log.observation()
    log.save(tmp_path / "log.parquet")
    loaded = EventLog.load(tmp_path / "log.parquet")
    assert loaded.missing == log.missing
    assert set(pq.read_schema(tmp_path / "log.parquet").names) == set(log.columns)
    with pytest.raises(ValueError, match="events: every log has this column, got None"):
        log.with_columns(events=None)


def test_decisions_without_users_or_order():
    full = synthetic_log()
    log = EventLog(action=full.action[::-1], events=full.events, propensity=full.propensity, policy="bts")
    assert len(log) == len(full)
    sessions = full.with_columns(user_id=None, visit=full.user_id)
    assert "user_id" in sessions.missing
    with pytest.raises(ValueError, match=r"\(visit, step\) must increase"):
        sessions.select(slice(None, None, -1))


def test_further_columns_and_observations_flow_through(tmp_path):
    log = synthetic_log()
    rows = len(log)
    candidates = np.arange(3 * rows).reshape(rows, 3)
    wide = log.with_columns(
        candidates=candidates,
        hours_away=np.linspace(0, 5, rows, dtype=np.float32)[:, None],
        item_propensity=np.full((rows, SLOTS), 0.5),
    )
    assert list(wide.extra_observation) == ["candidates", "hours_away"]
    assert list(wide.optional) == ["item_propensity"]
    assert wide.extra_observation["candidates"].dtype == np.int32
    wide.save(tmp_path / "log.parquet")
    loaded = EventLog.load(tmp_path / "log.parquet")
    for name, column in wide.columns.items():
        np.testing.assert_array_equal(loaded.columns[name], column)
    seen = loaded.observation(np.array([2, 5]))
    np.testing.assert_array_equal(seen["candidates"], candidates[[2, 5]])
    assert seen["candidates"].dtype == np.int64
    assert seen["hours_away"].shape == (2, 1)
    assert seen["hours_away"].dtype == np.float32
    inner = np.flatnonzero(loaded.has_next)
    np.testing.assert_array_equal(loaded.next_observation(inner)["candidates"], candidates[inner + 1])
    last = np.flatnonzero(~loaded.has_next)
    np.testing.assert_array_equal(loaded.next_observation(last)["candidates"], candidates[last])
    both = EventLog.concatenate([loaded.select(slice(0, 9)), loaded.select(slice(9, None))])
    np.testing.assert_array_equal(both.extra_observation["hours_away"], wide.extra_observation["hours_away"])
    with pytest.raises(ValueError, match=r"logs\[1\]: expected the columns"):
        EventLog.concatenate([loaded, log])


def test_the_next_observation_of_another_visit_is_the_one_seen_there():
    log = synthetic_log(num_users=1, seed=3)
    rows = len(log)
    visits = np.concatenate([np.zeros(rows - 2, int), np.ones(2, int)])
    steps = np.concatenate([np.arange(rows - 2), np.arange(2)])
    lifetime = log.with_columns(visit=visits, step=steps, session_step=steps)
    boundary = np.array([rows - 3])
    assert lifetime.next_observation(boundary)["session_step"].tolist() == [[0]]
    assert lifetime.has_next.tolist() == [True] * (rows - 1) + [False]


def test_derived_observations_do_not_need_the_next_row():
    log = synthetic_log()
    inner = np.flatnonzero(log.has_next)
    alone = log.select(inner[::2])  # no two of a session follow one another
    for key, logged in log.observation(inner[::2] + 1).items():
        np.testing.assert_array_equal(alone.next_observation()[key], logged)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"action": lambda log: log.action.astype(np.int64) << 40},
            r"action\[0, 0\]: expected in \[-2147483648",
        ),
        ({"reward": lambda log: np.array(["a"] * len(log))}, "reward: expected float32, got an array of <U1"),
        ({"step": lambda log: log.step + 0.5}, "step: expected int32, got an array of float64"),
        ({"hours": lambda log: np.array(["a"] * len(log))}, "hours: expected numbers in 1 or 2 axes"),
    ],
    ids=["range", "text", "fraction", "extra"],
)
def test_values_that_a_column_cannot_hold_are_named(change, message):
    log = synthetic_log()
    with pytest.raises(ValueError, match=message):
        log.with_columns(**{name: value(log) for name, value in change.items()})
