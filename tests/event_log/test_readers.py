"""Real logs: small files in their documented formats, and the real ones where they are."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from recsim_env.event_log import EventLog
from recsim_env.event_log.readers import (
    read_open_bandit,
    read_retailrocket,
    read_taobao,
    read_yoochoose,
)
from recsim_env.event_log.views import (
    dense_items,
    next_items,
    transitions,
    with_ends,
    with_history,
    with_rewards,
)
from tests.event_log.samples import BUYS, CLICKS, ITEMS, OBD, RETAILROCKET, TAOBAO, rows_of, write

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("RECSIM_ENV_DATA", ROOT.parent / "shared" / "data"))


def test_open_bandit(tmp_path):
    write(tmp_path, ITEMS, "item_context.csv")
    log, reports, items = read_open_bandit(write(tmp_path, OBD), "bts")
    assert rows_of(log) == [(1, 0), (0, 1)]
    assert log.propensity.tolist() == [0.25, 0.75]
    assert log.reward.tolist() == [0, 1]
    assert log.position.tolist() == [[1], [2]]
    assert np.diff(log.time).tolist() == [1_995_899]
    assert log.extra_observation["affinity"].tolist() == [[0, 1], [2, 0]]
    assert log.extra_observation["user_features"].tolist() == [[0, 0], [1, 0]]
    assert log.provenance["vocabulary"] == {"user_feature_0": ["ab", "cd"], "user_feature_1": ["x"]}
    assert {"user_id", "visit", "step", "terminated", "truncated", "history_items"} <= set(log.missing)
    assert items["item"].tolist() == [0, 1]
    assert items["item_feature_0"].tolist() == [0.25, -0.5]
    assert [report.rows for report in reports] == [2, 2]
    assert log.policy == "bts"
    assert log.observation().keys() == {"user_features", "affinity"}
    with pytest.raises(ValueError, match=r"log\.user_id: Open Bandit Dataset does not record it"):
        transitions(log)


def test_taobao(tmp_path):
    """User 1 pauses for exactly 1800 s, which does not end the visit."""
    log, (report,), items = read_taobao(write(tmp_path, TAOBAO))
    assert rows_of(log) == [
        (1, 0, 0, 10, 1),
        (1, 0, 1, 11, 8),
        (1, 0, 2, 12, 2),
        (1, 0, 3, 10, 4),
        (2, 0, 0, 10, 1),
    ]
    assert log.time.tolist() == [0, 60_000_000, 1_860_000_000, 1_861_000_000, 5_000_000_000]
    assert report.rows == 5
    assert items["category"].tolist() == [100, 100, 101]
    assert "propensity" in log.missing
    assert log.provenance["derived"]["visit"] == "ends after 1800 seconds without an action"
    assert rows_of(read_taobao(tmp_path / "log.csv", session_gap=1799).log)[2:4] == [
        (1, 1, 0, 12, 2),
        (1, 1, 1, 10, 4),
    ]


def test_retailrocket(tmp_path):
    log = read_retailrocket(write(tmp_path, RETAILROCKET)).log
    assert rows_of(log) == [
        (99, 0, 0, 248676, 1),
        (257597, 0, 0, 355908, 1),
        (257597, 0, 1, 355908, 8),
        (257597, 0, 2, 355908, 4),
    ]
    assert log.time[1] == 1433221332117_000


def test_yoochoose(tmp_path):
    clicks, buys = write(tmp_path, CLICKS, "clicks.dat"), write(tmp_path, BUYS, "buys.dat")
    log, reports, items = read_yoochoose(clicks, buys)
    assert rows_of(log) == [
        (1, 0, 214536502, 1),
        (1, 1, 214536500, 1),
        (1, 2, 214536500, 4),
        (2, 0, 214662742, 1),
    ]
    assert log.missing[0] == "user_id"
    assert np.isnan(log.price[[0, 1, 3], 0]).all(), "clicks say no price"
    assert log.price[2, 0] == 1046
    assert [report.rows for report in reports] == [3, 1]
    assert items["item"].tolist() == [214536500, 214536502, 214662742]
    assert "price" in read_yoochoose(clicks).log.missing


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "open"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
def test_ends_of_lines_and_marks_do_not_matter(tmp_path, end, last, mark):
    text = RETAILROCKET if last else RETAILROCKET.rstrip("\n")
    path = write(tmp_path, mark + text.replace("\n", end).encode())
    expected = read_retailrocket(write(tmp_path, RETAILROCKET, "plain.csv")).log
    np.testing.assert_array_equal(read_retailrocket(path).log.action, expected.action)


def test_compressed_files_are_read(tmp_path):
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(TAOBAO.encode()))
    assert len(read_taobao(tmp_path / "log.csv.gz").log) == 5
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(TAOBAO.encode())[:-12])
    with pytest.raises(ValueError, match=r"cut\.csv\.gz"):
        read_taobao(tmp_path / "cut.csv.gz")


def test_a_real_log_becomes_one_to_learn_from(tmp_path):
    log, ids = dense_items(read_taobao(write(tmp_path, TAOBAO)).log)
    log = with_ends(with_rewards(log, click=0.2, purchase=1.0), "truncated")
    full = with_history(log, 3, len(ids))
    assert full.history_items.tolist() == [[3, 3, 3], [3, 3, 0], [3, 0, 1], [0, 1, 2], [3, 3, 3]]
    rows = transitions(full)
    assert rows.observation.keys() == {"history_items", "history_events"}
    assert rows.next_observation["history_items"].tolist() == [
        [3, 3, 0],
        [3, 0, 1],
        [0, 1, 2],
        [1, 2, 0],
        [3, 3, 0],
    ]
    assert rows.next_observation["history_events"][3].tolist() == [8, 2, 4]
    assert rows.truncated.tolist() == [False, False, False, True, True]
    assert rows.propensity is None
    assert next_items(log, 2, len(ids)).item.tolist() == [0, 1, 2, 0, 0]


def test_a_real_log_survives_a_file(tmp_path):
    log = read_open_bandit(write(tmp_path, OBD), "bts").log
    log.save(tmp_path / "log.parquet")
    loaded = EventLog.load(tmp_path / "log.parquet")
    assert list(loaded.columns) == list(log.columns)
    assert (loaded.missing, loaded.provenance) == (log.missing, log.provenance)


def real_file(name):
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"no {path}; RECSIM_ENV_DATA may name a folder that has {name}")
    return path


@pytest.mark.parametrize(
    ("campaign", "num_items", "random_rate", "bts_rate"),
    [("all", 80, 0.0038, 0.0042), ("men", 34, 0.0046, 0.0069)],
)
def test_open_bandit_data(campaign, num_items, random_rate, bts_rate):
    uniform, (report, _), items = read_open_bandit(
        real_file(f"obd/random/{campaign}/{campaign}.csv"), "random"
    )
    bts = read_open_bandit(real_file(f"obd/bts/{campaign}/{campaign}.csv"), "bts").log
    assert (report.rows, report.malformed) == (10_000, 0)
    assert len(items["item"]) == num_items
    np.testing.assert_allclose(uniform.propensity, 1 / num_items, rtol=1e-12)
    assert uniform.reward.mean() == pytest.approx(random_rate)
    assert bts.reward.mean() == pytest.approx(bts_rate)
    weight = 1 / num_items / bts.propensity
    error = np.hypot(np.std(weight * bts.reward), np.std(uniform.reward)) / np.sqrt(len(bts))
    assert abs((weight * bts.reward).mean() - uniform.reward.mean()) < 2 * error
    assert uniform.extra_observation["affinity"].shape == (10_000, num_items)


def test_taobao_data():
    log, (report,), _ = read_taobao(real_file("taobao_users114.csv"))
    assert (report.rows, report.malformed, log.num_users) == (10_000, 0, 114)
    lengths = np.diff(np.append(np.flatnonzero(log.step == 0), len(log)))
    assert np.percentile(lengths, [25, 50, 99]).round().tolist() == [1, 3, 44]
    assert ((log.events & 4) > 0).sum() / ((log.events & 1) > 0).sum() == pytest.approx(0.023, abs=5e-4)
