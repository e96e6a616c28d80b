"""Real logs: small files in their documented formats, damaged ones, and the real ones where they are."""

from __future__ import annotations

import gzip
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsim_env.event_log import EventLog
from recsim_env.event_log.readers import (
    MalformedRowsWarning,
    read_open_bandit,
    read_retailrocket,
    read_taobao,
    read_yoochoose,
)
from recsim_env.event_log.readers.rows import one_of, read_rows, real, whole
from recsim_env.event_log.views import (
    dense_items,
    next_items,
    transitions,
    with_ends,
    with_history,
    with_rewards,
)

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("RECSIM_ENV_DATA", ROOT.parent / "shared" / "data"))

OBD = """\
,timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1,user-item_affinity_0,user-item_affinity_1
0,2019-11-24 00:00:17.004101+00:00,1,2,0,0.25,ab,x,0.0,1.0
1,2019-11-24 00:00:19+00:00,0,3,1,0.75,cd,x,2.0,0.0
"""
ITEMS = ",item_id,item_feature_0,item_feature_1\n0,1,-0.5,aa\n1,0,0.25,bb\n"
TAOBAO = """\
2,10,100,pv,5000
1,10,100,pv,0
1,11,100,cart,60
1,10,100,buy,1861
1,12,101,fav,1860
"""
RETAILROCKET = """\
timestamp,visitorid,event,itemid,transactionid
1433221332117,257597,view,355908,
1433221340000,257597,addtocart,355908,
1433221350000,257597,transaction,355908,4000
1433224214164,99,view,248676,
"""
CLICKS = """\
2,2014-04-07T13:56:37.614Z,214662742,0
1,2014-04-07T10:54:09.868Z,214536500,S
1,2014-04-07T10:51:09.277Z,214536502,0
"""
BUYS = "1,2014-04-07T10:54:09.868Z,214536500,1046,2\n"


def write(folder, text, name="log.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows_of(log):
    """(user, visit, step, item, events) of every row, as far as the log has them."""
    names = [name for name in ("user_id", "visit", "step") if name in log.columns]
    columns = [log.columns[name].tolist() for name in names]
    return list(zip(*columns, log.action[:, 0].tolist(), log.events[:, 0].tolist(), strict=True))


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


BAD = [
    (b"1,10,100,pv", "expected 5 values, got 4"),
    (b"1,10,100,pv,0,1", "expected 5 values, got 6"),
    (b"", "expected 5 values, got 1"),
    (b"1,10,100,view,0", "behaviour: expected one of pv, fav, cart, buy, got 'view'"),
    (b"-1,10,100,pv,0", "user: expected a whole number, got '-1'"),
    (b"1,3000000000,100,pv,0", "item: expected a whole number up to 2147483647, got '3000000000'"),
    (b"1,1e3,100,pv,0", "item: expected a whole number up to 2147483647, got '1e3'"),
    (b"1,10,100,pv,\xff", r"seconds: expected a whole number up to 1099511627776, got '\xff'"),
    (b'"1",10,100,pv,0', "user: expected a whole number, got '\"1\"'"),
    (b"\x00,10,100,pv,0", r"user: expected a whole number, got '\x00'"),
]


def test_malformed_rows_are_counted_reported_and_set_aside(tmp_path):
    lines = TAOBAO.encode().splitlines()
    content = b"\n".join([lines[0], *(bad for bad, _ in BAD), *lines[1:]]) + b"\n"
    path = write(tmp_path, content)
    with pytest.warns(
        MalformedRowsWarning, match=r"log\.csv: 10 of 15 rows .* line 2: expected 5 values, got 4"
    ):
        log, (report,), _ = read_taobao(path, set_aside=tmp_path / "aside.jsonl")
    assert rows_of(log) == rows_of(read_taobao(write(tmp_path, TAOBAO, "good.csv")).log)
    assert (report.rows, report.malformed) == (5, 10)
    assert sum(report.reasons.values()) == 10
    assert report.reasons["expected 5 values"] == 3
    assert log.provenance["files"]["log.csv"]["malformed"] == 10
    aside = [json.loads(line) for line in (tmp_path / "aside.jsonl").read_text().splitlines()]
    assert [entry["line"] for entry in aside] == list(range(2, 12))
    for entry, (bad, reason) in zip(aside, BAD, strict=True):
        assert entry["text"] == bad.decode("utf-8", "backslashreplace")
        assert entry["reason"].replace("\\\\", "\\") == reason


def test_moments_that_do_not_exist_are_malformed(tmp_path):
    broken = CLICKS + "3,2014-13-07T10:51:09.277Z,1,0\n3,2014-04-07 25:51:09Z,1,0\n3,yesterday,1,0\n"
    with pytest.warns(MalformedRowsWarning, match="3 of 6 rows"):
        log = read_yoochoose(write(tmp_path, broken)).log
    assert len(log) == 3


@pytest.mark.parametrize(
    ("score", "valid"),
    [("1", True), ("1e-9", True), ("0", False), ("1.5", False), ("nan", False), ("1e999", False)],
)
def test_a_propensity_is_a_probability(tmp_path, score, valid):
    path = write(tmp_path, OBD.replace("0.25", score))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(read_open_bandit(path, "bts").log) == 1 + valid
    assert len(caught) == 1 - valid


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (
            read_taobao,
            "a,b\n",
            "holds no row of the form user,item,category,behaviour,seconds; line 1: expected 5",
        ),
        (read_taobao, "", "it is empty"),
        (
            read_retailrocket,
            "a,b\n1,2\n",
            "expected the header timestamp,visitorid,event,itemid,transactionid, got a,b",
        ),
        (read_retailrocket, "", "expected the header"),
        (read_retailrocket, b"\xff\n", "the first line is not text"),
        (lambda path: read_open_bandit(path, "bts"), "timestamp,item_id\n", "there is no position"),
        (read_yoochoose, "1,2\n", "holds no row"),
    ],
    ids=["other", "empty", "header", "no-header", "bytes", "column", "yoochoose"],
)
def test_a_file_of_something_else_is_refused(tmp_path, read, text, message):
    with pytest.raises(ValueError, match=message):
        read(write(tmp_path, text))
    with pytest.raises(FileNotFoundError, match="is not a file"):
        read(tmp_path / "nowhere.csv")


def test_a_file_longer_than_a_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr("recsim_env.event_log.readers.rows.CHUNK", 40)
    lines = [f"{user},{user},1,pv,{user}" for user in range(300)]
    lines[150] = "x" * 200
    with pytest.warns(MalformedRowsWarning, match=r"1 of 300 rows .* line 151: expected 5 values, got 1"):
        log = read_taobao(write(tmp_path, "\n".join(lines))).log
    assert log.user_id.tolist() == [user for user in range(300) if user != 150]


LINES = st.one_of(
    st.binary(max_size=30),
    st.lists(
        st.sampled_from([b"1", b"0.5", b"a", b"", b"9" * 25, b"-3", b"\xff", b'"', b"1e5"]), max_size=5
    ).map(b",".join),
    st.just(b"1,0.5,a"),
)


@given(st.lists(LINES, max_size=8), st.booleans(), st.sampled_from([b"\n", b"\r\n"]))
def test_any_bytes_give_rows_or_a_clear_error(tmp_path_factory, lines, header, end):
    """Every line is a row or malformed; none is lost, and the only error is one that names the file."""
    content = end.join(lines)
    path = tmp_path_factory.getbasetemp() / "fuzzed.csv"
    path.write_bytes(content)
    fields = [whole("n"), real("x", "a number", np.isfinite), one_of("word", ["a", "b"])]
    aside = path.with_suffix(".jsonl")
    count = len(content.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n").split(b"\n")) if content else 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MalformedRowsWarning)
            columns, report = read_rows(path, fields, header=header, set_aside=aside)
    except ValueError as error:
        assert str(error).startswith(f"path: {path} holds no row of the form n,x,word")  # noqa: PT017
        return
    assert {len(column) for column in columns.values()} == {report.rows}
    assert report.rows + report.malformed == count - header
    assert len(aside.read_text(encoding="utf-8").splitlines()) == report.malformed
    assert (columns["word"] < 2).all()


FORMATS = {
    "taobao": (read_taobao, TAOBAO),
    "retailrocket": (read_retailrocket, RETAILROCKET),
    "open bandit": (lambda path: read_open_bandit(path, "bts"), OBD),
    "yoochoose": (read_yoochoose, CLICKS),
}


@st.composite
def damaged(draw, text):
    """A file in which some bytes are others, gone, or doubled."""
    content = bytearray(text.encode())
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(content) - 1))
        kind = draw(st.integers(0, 2))
        if kind == 0:
            content[place] = draw(st.integers(0, 255))
        elif kind == 1 and len(content) > 1:
            del content[place]
        else:
            content[place:place] = content[place : place + draw(st.integers(1, 9))]
    return bytes(content)


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_damaged_files_give_a_log_or_a_clear_error(tmp_path_factory, name, data):
    read, text = FORMATS[name]
    path = tmp_path_factory.getbasetemp() / "damaged.csv"
    path.write_bytes(data.draw(damaged(text)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MalformedRowsWarning)
            log, (report, *_), _ = read(path)
    except ValueError as error:
        assert str(error).startswith(f"path: {path}")  # noqa: PT017
        return
    assert len(log) == report.rows
    assert (log.action >= 0).all()


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
