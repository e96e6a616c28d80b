"""`recsim-env report`: what it reads, what it writes, and what it says of broken results."""

import io
import json
import re
import shlex
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from rich.console import Console
from typer.main import get_command

from benchmarks.cli import app
from benchmarks.errors import UsageError
from benchmarks.experiments.frame import findings_table
from benchmarks.report import make_page, make_text, number_text, report
from benchmarks.results import command_line, comparison_findings, flattened, read_results, reported_figures
from benchmarks.rows import row
from benchmarks.statistics import Interval
from benchmarks.style import figure
from benchmarks.svg import colour_rules, inline_svg, on_dark
from benchmarks.tasks import write_json

EVIL = "</script><script>document.title='taken over'</script><b>"
ORIGIN = {"commit": "abc", "stream_version": 1}


def write_experiment(folder):
    rows = [
        {"agent": "a", "metric": "reward", "value": 2.5, "lower": 2.0, "upper": 3.0, "seeds": 3},
        {"agent": EVIL, "metric": "reward", "value": -10.0, "lower": None, "upper": None, "seeds": 1},
        {"agent": "c", "metric": "reward", "value": 1234.5, "lower": 1000.0, "upper": 1500.0, "seeds": 10},
    ]
    findings = [{"text": f"a beats b {EVIL}", "shown": True}, {"text": "c beats d", "shown": False}]
    summary = {
        "command": "compare",
        "experiment": "toy",
        "asked": "Which is best?",
        "settings": {"scenario": "recsim_env/Tiny-v0"},
        "provenance": ORIGIN,
        "rows": rows,
        "findings": findings,
    }
    folder.mkdir()
    write_json(folder / "summary.json", summary)
    with figure(folder, "reward_curve", figsize=(3, 2)) as (_, axes):
        axes.plot([0, 1], [0, 1], color="#0072b2", marker="o")
        axes.set_title("reward")
    return summary


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    write_experiment(folder / "toy")
    write_experiment(folder / "again")
    return folder


def test_it_writes_a_page_and_a_summary(results, tmp_path):
    console = Console(record=True, quiet=True)
    page, text = report(results, tmp_path, None, console)
    content, words = page.read_text(), text.read_text()
    assert content.count("<svg") == 2
    assert "<title>Results of recsim_env</title>" in content
    for part in (
        "## toy · Tiny-v0",
        "Asked: Which is best?",
        "Found:\n\n- a beats b",
        "Not found:\n\n- c beats d",
    ):
        assert part in words
    assert "Commit abc" in words


def test_the_page_loads_nothing_and_runs_no_text(results):
    page = make_page(read_results(results))
    assert not re.search(r"""(src|href)\s*=\s*["']?(?!#)[^"'>\s]""", page)
    assert "url(http" not in page
    assert page.count("<script>") == 1
    assert EVIL not in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page


def test_ids_are_unique_and_references_meet(results):
    page = make_page(read_results(results))
    ids = re.findall(r'\bid="([^"]+)"', page)
    per_figure = [name for name in ids if re.match(r"f\d+-\d+-", name)]
    assert {name.split("-")[0] for name in per_figure} == {"f0", "f1"}
    for target in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page):
        assert "".join(target) in ids


def test_a_figure_follows_the_scheme(results):
    svg = inline_svg(results / "toy" / "reward_curve.svg", "f0", "reward")
    ElementTree.fromstring(svg)
    assert "#0072b2" not in svg
    assert "var(--c-0072b2)" in svg
    rules = colour_rules({"#0072b2", "#000000"})
    assert "--c-0072b2:#0072b2" in rules
    assert "prefers-color-scheme: dark" in rules
    assert on_dark("#ffffff") == "#191d22"
    assert on_dark("#000000") == "#ffffff"
    assert int(on_dark("#e4e4e4")[1:3], 16) < 0x40


@pytest.mark.parametrize("content", ["<p>", '<svg viewBox="0 0 1 1"><script>x</script></svg>'])
def test_a_strange_figure_is_refused(tmp_path, content):
    (tmp_path / "x.svg").write_text(content)
    with pytest.raises(UsageError, match=r"x\.svg: expected a figure"):
        inline_svg(tmp_path / "x.svg", "f", "x")


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UsageError, match="expected a folder"):
        read_results(tmp_path / "nothing")
    with pytest.raises(UsageError, match=r"no summary\.json: run an experiment first"):
        read_results(tmp_path)
    (tmp_path / "summary.json").write_text('{"command": "compare"}')
    with pytest.raises(UsageError, match=r"summary\.json is no summary of results"):
        read_results(tmp_path)


def test_settings_may_stand_beside_the_rows(tmp_path):
    summary = {
        "command": "throughput",
        "provenance": {"commit": None},
        "seconds": 0.6,
        "first_step_seconds": {"cold": 14.0},
        "rows": [{"users": 0, "rate": 200_000.0}],
    }
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    (section,) = read_results(tmp_path)
    assert section.about["settings"] == {"command": "throughput", "seconds": 0.6}
    assert section.rows == summary["rows"]
    assert section.asked.startswith("How many user-steps")


def test_numbers_are_written_for_readers():
    assert [number_text(value) for value in (3, 3.0, 12345, 0.123456, 1234.567, -2.5)] == [
        "3",
        "3",
        "12,345",
        "0.1235",
        "1,234.57",
        "-2.5",
    ]


def test_nested_rows_become_flat():
    assert flattened({"a": 1, "b": {"mean": 2, "c": {"d": 3}}, "e": [1]}) == {"a": 1, "b mean": 2, "b c d": 3}


def test_the_main_job_reads_as_findings():
    def difference(other, mean, low, high):
        found = Interval(mean, low, high, "t", 3)
        return row("compare", "Storefront-v0", "sqn", f"reward_minus_{other}", found)

    rows = [difference("logging", 2.0, 1.0, 3.0), difference("popular", -0.1, -1.0, 0.8)]
    findings = comparison_findings(rows)
    assert [finding["shown"] for finding in findings] == [True, False]
    assert findings[0]["text"].startswith("SQN earns more than logging policy: +2.00 [+1.00, +3.00]")
    assert "is not shown to differ from popular" in findings[1]["text"]


def test_the_main_job_says_who_has_most_of_what():
    rows = [
        row("compare", "Storefront-v0", agent, "tail_share", Interval(mean, low, high, "t", seeds))
        for agent, mean, low, high, seeds in (("sqn", 0.25, 0.2, 0.3, 3), ("random", 0.5, np.nan, np.nan, 1))
    ]
    (finding,) = comparison_findings(rows)
    assert finding["text"] == "Share of impressions in the long tail: random 50.0%; SQN 25.0% [20.0%, 30.0%]."


@pytest.mark.parametrize(
    ("summary", "settings", "typed"),
    [
        (
            {"command": "compare", "experiment": "verdict", "seeds": [0, 1, 2]},
            {"preset": "quick", "scenarios": ["Tiny-v0", "Memoryless-v0"]},
            "recsim-env compare --experiment verdict --preset quick --seeds 3",
        ),
        (
            {"command": "compare", "experiment": "controls", "seeds": [5]},
            {"preset": "standard", "scenarios": ["Tiny-v0"]},
            "recsim-env compare --experiment controls --preset standard --scenario Tiny-v0 --seeds 1"
            " --first-seed 5",
        ),
        (
            {
                "command": "learning-curve",
                "agents": ["sqn", "ips:dim=16"],
                "sizes": [20_000],
                "seeds": [0, 1],
            },
            {"scenario": "recsim_env/Storefront-v0", "world": {}},
            "recsim-env learning-curve --scenario Storefront-v0 --agents sqn,ips:dim=16 --sizes 20000"
            " --seeds 2",
        ),
        (
            {"command": "narrow-support", "seeds": [0, 1]},
            {"scenario": "Memoryless-v0"},
            "recsim-env narrow-support --seeds 2",
        ),
        ({"command": "throughput"}, {}, "recsim-env throughput"),
    ],
)
def test_how_a_command_is_typed_again(summary, settings, typed):
    assert command_line(summary, settings) == typed
    command, *options = shlex.split(typed.removeprefix("recsim-env "))
    given = [option.removeprefix("--") for option in options if option.startswith("--")]
    known = {option for one in get_command(app).commands[command].params for option in one.opts}
    assert {f"--{name}" for name in given} <= known


def test_figures_of_all_comparisons_have_one_form(results, tmp_path):
    figure_of_compare = row("compare", "Tiny-v0", "sqn", "gap_share", Interval(0.5, 0.25, 0.75, "t", 3))
    learner = {"experiment": "controls", "scenario": "Tiny-v0", "agent": "sqn", "seeds": 10}
    learner |= {"lower": 1.0, "upper": 3.0, "mean": 2.0, "share_of_optimum": 0.9}
    folders = {
        "a": ("compare", [figure_of_compare | {"p_corrected": 0.01}]),
        "b": ("compare", [learner | {"control": None}, learner | {"control": "next-item"}]),
        "c": ("throughput", [{"user_steps_per_second": 1.0}]),
    }
    for name, (command, rows) in folders.items():
        (tmp_path / name).mkdir()
        summary = {"command": command, "settings": {"preset": name}, "provenance": ORIGIN, "findings": []}
        write_json(tmp_path / name / "summary.json", summary | {"rows": rows})
    path = tmp_path / "rows.json"
    report(tmp_path, None, path, Console(quiet=True))
    saved = json.loads(path.read_text())
    assert saved == {"command": "report", **reported_figures(read_results(tmp_path))}
    assert saved["rows"][0] == figure_of_compare
    of_controls = [(one["metric"], one["value"], one["seeds"]) for one in saved["rows"][1:]]
    assert of_controls == [("reward_per_user", 2.0, 10), ("reward_minus_next-item", 2.0, 10)]
    assert [source["settings"]["preset"] for source in saved["sources"]] == ["a", "b"]


def test_findings_are_printed(results):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(findings_table(json.loads((results / "toy" / "summary.json").read_text())))
    printed = console.export_text()
    assert "Which is best?" in printed
    assert "not found" in printed


def test_the_summary_says_nothing_twice(results):
    text = make_text(read_results(results))
    assert text.count("Which is best?") == 2
