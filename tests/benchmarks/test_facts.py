"""`recsim-env facts`, and the reader of a real log."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.errors import UsageError
from benchmarks.facts_table import cell
from benchmarks.taobao import read_taobao, taobao_facts

ROOT = Path(__file__).parents[2]
HOUR = 3600
HAND_LOG = f"""\
1,10,100,pv,0
1,11,100,pv,{30 * 60}
1,10,100,pv,{60 * 60 + 1}
1,10,100,buy,{60 * 60 + 5}
2,10,100,pv,50
2,20,200,fav,60
"""
MALFORMED = """\
2,20,200,view,70
2,20,200,pv
2,20,x,pv,70
2,20,200,pv,-70
2,20,200,pv,70,1

2,20,200,pv,1e3
"""


def invoke(*arguments):
    return CliRunner().invoke(app, ["facts", *arguments], env={"COLUMNS": "200", "TERM": "dumb"})


def written(folder, text):
    path = folder / "log.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_two_scenarios_side_by_side(tmp_path):
    rows_path = tmp_path / "rows.json"
    options = ("--users", "300", "--popularity-clicks", "1000", "--json", str(rows_path))
    result = invoke("Storefront-v0", "recsim_env/Memoryless-v0", "Storefront-v0", *options)
    assert result.exit_code == 0, result.output
    for text in (
        "Storefront-v0",
        "Memoryless-v0",
        "P(continue | depth 2)",
        "first 1,000 clicks",
        "300 users",
    ):
        assert text in result.output
    assert "by position" not in result.output, "slates of one have no position curve"
    saved = json.loads(rows_path.read_text())
    assert saved["provenance"]["stream_version"]
    known = {(row["log"], row["fact"]): row for row in saved["rows"]}
    assert {log for log, _ in known} == {"Storefront-v0", "Memoryless-v0"}
    assert len(known) == len(saved["rows"])
    row = known["Storefront-v0", "session_length_is_1"]
    assert row["num_observations"] == row["users"] == 300
    assert row["lower"] <= row["value"] <= row["upper"]
    assert cell(row, 3) in result.output


def test_the_same_seed_gives_the_same_facts_and_another_does_not(tmp_path):
    def rows(seed):
        path = tmp_path / "rows.json"
        assert invoke("Memoryless-v0", "--users", "100", "--seed", seed, "--json", str(path)).exit_code == 0
        return [(row["fact"], row["value"]) for row in json.loads(path.read_text())["rows"]]

    assert rows("1") == rows("1") != rows("2")


def test_a_position_curve_stands_beside_its_examination(tmp_path):
    rows_path = tmp_path / "rows.json"
    result = invoke("StorefrontSlate-v0", "--users", "200", "--policy", "random", "--json", str(rows_path))
    assert result.exit_code == 0, result.output
    assert "Click rate by position, relative to position 0" in result.output
    known = {row["fact"]: row["value"] for row in json.loads(rows_path.read_text())["rows"]}
    assert known["examination_exponent"] == 0.66
    assert known["examination_at_3"] == pytest.approx(4**-0.66)
    assert 0 < known["click_rate_at_9"] < known["click_rate_at_1"] < 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give at least one scenario"),
        (("Storefont-v0",), "did you mean 'Storefront-v0'"),
        (("Storefront-v0", "--policy", "loging"), "did you mean 'logging'"),
        (("Storefront-v0", "--data", "nowhere.csv"), "nowhere.csv cannot be read"),
        (("Storefront-v0", "--json", "."), "is a folder"),
    ],
    ids=["nothing", "scenario", "policy", "data", "json"],
)
def test_mistakes_are_one_clear_error(arguments, message):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert "[1/1]" not in result.output, "mistakes are found before any work"


def test_a_real_log_by_hand(tmp_path):
    log = read_taobao(written(tmp_path, HAND_LOG + MALFORMED))
    assert (len(log.user), log.num_malformed) == (6, 7)
    facts = taobao_facts(log, popularity_clicks=3).result()
    measured = {name: fact.value for name, fact in facts.items()}
    # User 1: exactly 30 minutes between two actions are one session, one second more begins another.
    assert measured == pytest.approx(
        {
            "like_per_click": 1 / 4,
            "purchase_per_click": 1 / 4,
            "session_length_p25": 2,
            "session_length_p50": 2,
            "session_length_p75": 2,
            "session_length_p99": 2,
            "session_length_mean": 2.0,
            "session_length_is_1": 0.0,
            "continue_1": 1.0,
            "continue_2": 0.0,
            "item_repeat": 1 / 4,
            "topic_repeat": 2 / 4,
            "return_gap_p25": (30 * 60 + 1) / HOUR,
            "return_gap_p50": (30 * 60 + 1) / HOUR,
            "return_gap_p75": (30 * 60 + 1) / HOUR,
        }
    )


def test_rows_may_come_in_any_order_and_popularity_follows_time(tmp_path):
    lines = HAND_LOG.splitlines()
    shuffled = read_taobao(written(tmp_path, "\n".join(lines[::-1]) + "\n"))
    straight = read_taobao(written(tmp_path, HAND_LOG))
    for one, other in zip(shuffled[:5], straight[:5], strict=True):
        np.testing.assert_array_equal(one, other)
    popularity = taobao_facts(straight, popularity_clicks=3).popularity
    assert popularity.items.tolist() == [10, 10, 11]  # seconds 0, 50, 1800, of two users


def test_a_file_of_another_form_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="holds no row of the form"):
        read_taobao(written(tmp_path, MALFORMED))


def test_a_real_log_stands_beside_a_scenario_and_malformed_rows_are_reported(tmp_path):
    path = written(tmp_path, HAND_LOG + MALFORMED)
    result = invoke("Memoryless-v0", "--users", "50", "--data", str(path))
    assert result.exit_code == 0, result.output
    assert "log.csv: 2 users; 7 of 13 rows malformed" in result.output
    assert "return gap" in result.output
    assert invoke("--data", str(path)).exit_code == 0, "a log alone will do"


def test_facts_of_the_real_log():
    """The figures that docs/facts.md quotes; the file may not be redistributed, so the project has none."""
    default = ROOT.parent / "shared" / "data" / "taobao_users114.csv"
    path = Path(os.environ.get("RECSIM_ENV_TAOBAO", default))
    if not path.is_file():
        pytest.skip("no Taobao UserBehavior sample: set RECSIM_ENV_TAOBAO to its path")
    log = read_taobao(path)
    assert (len(log.user), log.num_malformed, len(np.unique(log.user))) == (10_000, 0, 114)
    facts = {name: fact.value for name, fact in taobao_facts(log, 5_000).result().items()}
    expected = {
        "like_per_click": 0.023,
        "cart_per_click": 0.059,
        "purchase_per_click": 0.023,
        "session_length_p25": 1,
        "session_length_p50": 3,
        "session_length_p75": 6,
        "session_length_p99": 44,
        "session_length_is_1": 0.315,
        "continue_1": 0.685,
        "continue_2": 0.785,
        "continue_5": 0.828,
        "continue_10": 0.868,
        "head_slope": 0.32,
        "item_repeat": 0.184,
        "topic_repeat": 0.719,
        "return_gap_p50": 7.1,
    }
    assert {name: facts[name] for name in expected} == pytest.approx(expected, rel=0.03)
