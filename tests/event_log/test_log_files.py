"""Event logs as files: nothing is lost, and what is damaged, cut or something else is refused."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsim_env.event_log import COLUMNS, METADATA_KEY, EventLog, replacing
from tests.event_log.synthetic import HISTORY, SLOTS, synthetic_log


def test_save_and_load_keep_every_value(tmp_path):
    log = synthetic_log()
    log.save(tmp_path / "log.parquet")
    loaded = EventLog.load(tmp_path / "log.parquet")
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(log, name))
        assert getattr(loaded, name).dtype == getattr(log, name).dtype
    assert loaded.policy == "uniform"
    assert loaded.provenance == log.provenance
    assert [path.name for path in tmp_path.iterdir()] == ["log.parquet"]


def test_an_empty_log_survives_the_round_trip(tmp_path):
    log = synthetic_log()
    columns = {name: getattr(log, name)[:0] for name in COLUMNS}
    EventLog(**columns, policy="none").save(tmp_path / "log.parquet")
    loaded = EventLog.load(tmp_path / "log.parquet")
    assert len(loaded) == 0
    assert loaded.num_users == 0
    assert loaded.action.shape == (0, SLOTS)


def test_the_file_is_zstd_with_fixed_size_lists(tmp_path):
    synthetic_log().save(tmp_path / "log.parquet")
    schema = pq.read_schema(tmp_path / "log.parquet")
    assert schema.field("action").type == pa.list_(pa.int32(), SLOTS)
    assert schema.field("history_events").type == pa.list_(pa.uint8(), HISTORY)
    group = pq.ParquetFile(tmp_path / "log.parquet").metadata.row_group(0)
    assert {group.column(index).compression for index in range(group.num_columns)} == {"ZSTD"}


def test_loading_something_else_says_what_it_is(tmp_path):
    path = tmp_path / "log.parquet"
    with pytest.raises(FileNotFoundError, match="is not a file"):
        EventLog.load(path)
    path.write_text("not a table")
    with pytest.raises(ValueError, match="not a readable Parquet file"):
        EventLog.load(path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(ValueError, match="not an event log of recsim_env"):
        EventLog.load(path)


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "log.parquet"
    synthetic_log().save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="not a readable Parquet file"):
        EventLog.load(path)


def test_other_schema_versions_and_missing_columns_are_refused(tmp_path):
    path = tmp_path / "log.parquet"
    synthetic_log().save(path)
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["price"]), path)
    with pytest.raises(ValueError, match=r"lacks the columns \['price'\]"):
        EventLog.load(path)
    header = json.loads(table.schema.metadata[METADATA_KEY]) | {"schema_version": 99}
    pq.write_table(table.replace_schema_metadata({METADATA_KEY: json.dumps(header)}), path)
    with pytest.raises(ValueError, match="event log schema 99, this version reads 1 and 2"):
        EventLog.load(path)


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "log.parquet"
    log = synthetic_log()
    log.save(path)
    before = path.read_bytes()

    def fail(table, where, **options):
        where.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(OSError, match="disk full"):
        log.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_no_flipped_bit_goes_unnoticed(tmp_path):
    """Whatever byte is changed: either the file is refused by name, or the log is what was saved."""
    log, path = synthetic_log(num_users=4), tmp_path / "log.parquet"
    log.save(path)
    content = path.read_bytes()
    generator, refused, unnamed = np.random.default_rng(0), 0, 0
    for place in generator.integers(len(content), size=400).tolist():
        changed = bytearray(content)
        changed[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(changed)
        try:
            loaded = EventLog.load(path)
        except ValueError as error:
            refused += "log.parquet" in str(error)
            unnamed += "log.parquet" not in str(error)
            continue
        for name, column in log.columns.items():
            np.testing.assert_array_equal(loaded.columns[name], column, err_msg=f"{name} after byte {place}")
        assert (loaded.policy, loaded.provenance) == (log.policy, log.provenance)
    assert refused > 100
    assert unnamed == 0


def test_files_of_the_first_schema_are_read(tmp_path):
    log, path = synthetic_log(), tmp_path / "log.parquet"
    log.save(path)
    header = {"schema_version": 1, "policy": "old", "provenance": {}}
    table = pq.read_table(path).replace_schema_metadata({METADATA_KEY: json.dumps(header)})
    pq.write_table(table, path)
    loaded = EventLog.load(path)
    assert loaded.policy == "old"
    np.testing.assert_array_equal(loaded.history_items, log.history_items)


def write_new(path, target):
    """Replace a file by way of a link to another one, which takes what is written."""
    with replacing(path) as temporary:
        temporary.symlink_to(target)
        temporary.write_text("new")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here that is always full")
def test_a_full_disk_is_reported_by_the_name_of_the_file(tmp_path):
    (tmp_path / "report.html").write_text("old")
    with pytest.raises(OSError, match=r"No space left on device: '.*/report\.html'"):
        write_new(tmp_path / "report.html", "/dev/full")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "old"


def read_meanwhile(path, other):
    with replacing(path):
        other.read_text()


def test_an_error_of_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="elsewhere"):
        read_meanwhile(tmp_path / "report.html", tmp_path / "elsewhere")
