"""Real logs that are damaged, or something else: rows are set aside and counted, files refused by name."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsim_env.event_log.readers import (
    MalformedRowsWarning,
    read_open_bandit,
    read_retailrocket,
    read_taobao,
    read_yoochoose,
)
from recsim_env.event_log.readers.rows import one_of, read_rows, real, whole
from tests.event_log.samples import CLICKS, OBD, RETAILROCKET, TAOBAO, rows_of, write

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
