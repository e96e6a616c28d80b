"""What README and the pages in docs print of comparisons is what the rows in docs/results say."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.rows import KEYS, lookup
from benchmarks.style import NAMES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
AGENTS_PAGE = (ROOT / "docs" / "agents.md").read_text(encoding="utf-8")
EXPERIMENTS_PAGE = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
SAVED = json.loads((ROOT / "docs" / "results" / "verdict.json").read_text(encoding="utf-8"))
ROWS = {(row["experiment"], row["scenario"], row["agent"], row["metric"]): row for row in SAVED["rows"]}
CONTROLS = json.loads((ROOT / "docs" / "results" / "agents.json").read_text(encoding="utf-8"))
DEPLOYMENT_PAGE = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
DRIFT = json.loads((ROOT / "docs" / "results" / "deployment_drift.json").read_text(encoding="utf-8"))
REGRETS = {
    "dynamic regret": "dynamic_regret",
    "over the best of the paper's six": "dynamic_regret_over_paper",
    "regret to the best single arm": "fixed_regret",
    "lost": "lost_share",
    "switches": "switches",
    "restarts": "restarts",
}
COLUMNS = {
    "reward per user": "reward_per_user",
    "gap closed, random to myopic": "gap_share",
    "minus logging policy": "reward_minus_logging",
    "coverage": "catalog_coverage",
    "tail share": "tail_share",
}
AGENTS = {name: agent for agent, name in NAMES.items()}
NUMBER = re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?")


def table_after(heading, page=README):
    """The cells of the first table below a heading, its own heading first."""
    lines = page[page.index(heading) :].splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("|"))
    table = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return [table[0], *table[2:]]


def figures_of(text):
    """(value, half a unit of the last digit) of each number written; percentages and points as shares."""
    scale = 0.01 if "%" in text or "points" in text else 1.0
    found = [number.replace(",", "") for number in NUMBER.findall(text)]
    return [(float(number) * scale, 0.5 * scale * 10.0 ** -len(number.partition(".")[2])) for number in found]


def check(text, row, value="value"):
    """Whether the text states the row: its value, and where brackets follow both ends of its interval."""
    stated = figures_of(text)
    expected = [row[value], row["lower"], row["upper"]][: len(stated)]
    assert len(stated) in (1, 3), f"{row}: {text!r}"
    for (number, half), figure in zip(stated, expected, strict=True):
        assert abs(number - figure) <= half * (1 + 1e-9), f"{text!r} is not what the row says: {row}"


CLAIMS = [
    *table_after("### What the experiments say")[1:],
    *table_after("## More of the rows", EXPERIMENTS_PAGE)[1:],
]


def test_rows_have_one_form_and_say_where_they_come_from():
    assert all(tuple(row) == KEYS for row in SAVED["rows"])
    assert len(ROWS) == len(SAVED["rows"])
    sources = {source["experiment"]: source for source in SAVED["sources"]}
    assert set(sources) == {row["experiment"] for row in SAVED["rows"]}
    assert all(re.fullmatch("[0-9a-f]{40}", one["provenance"]["commit"]) for one in sources.values())
    report = (ROOT / "docs" / "results" / "report.md").read_text()
    assert all(f"`{one['command_line']}`" in report for one in sources.values())


@pytest.mark.parametrize("line", table_after("## What comes out")[1:], ids=lambda line: line[0])
def test_the_main_table_is_that_of_the_saved_rows(line):
    head = table_after("## What comes out")[0]
    name = re.sub(r" \(.*\)", "", line[0])
    agent = AGENTS.get(name, name)
    stated = 0
    for heading, text in zip(head, line, strict=True):
        if heading in COLUMNS and text:
            check(text, ROWS["compare", "Storefront-v0", agent, COLUMNS[heading]])
            stated += 1
    assert stated >= 4


def test_the_table_of_longer_logs_is_that_of_the_saved_rows():
    head, *lines = table_after("### Longer logs")
    sizes = [int(re.sub(r"\D", "", heading)) for heading in head[1:]]
    for name, *cells in lines:
        setting = re.search(r"`(.*)`", name)
        agent = f"{name.split()[0].lower()}{f':{setting[1]}' if setting else ''}"
        for size, text in zip(sizes, cells, strict=True):
            arm = f"{agent}, logging {size}" if agent != "the" else "logging"
            check(text, ROWS["learning-curve", "Storefront-v0", arm, "gap_share"])


@pytest.mark.parametrize("line", CLAIMS, ids=lambda line: line[0])
def test_every_claim_is_a_saved_row(line):
    """The last cell names the row: experiment, scenario, agent and metric."""
    _, text, source = line
    check(text, ROWS[tuple(part.strip() for part in source.strip("`").split(" / "))])


def test_every_world_of_the_controls_says_which_code_it_was_run_with():
    worlds = [world for source in CONTROLS["sources"] for world in source["scenarios"]]
    assert sorted(worlds) == sorted({row["scenario"] for row in CONTROLS["rows"]})
    assert all(re.fullmatch("[0-9a-f]{40}", source["provenance"]["commit"]) for source in CONTROLS["sources"])


@pytest.mark.parametrize("world", ["Tiny-v0", "LongTermSatisfaction-v0"])
def test_learners_with_foresight_come_near_the_known_optimum_and_beat_their_controls(world):
    rows = [row for row in CONTROLS["rows"] if row["scenario"] == world and row["control"]]
    assert {row["agent"] for row in rows} == {"dqn", "slateq", "sqn, Q head"}
    for row in rows:
        assert row["share_of_optimum"] >= {"Tiny-v0": 0.95, "LongTermSatisfaction-v0": 0.90}[world], row
        assert row["lower"] > 0, row
        assert row["seeds"] == 10


def test_the_table_of_learners_and_controls_is_that_of_the_saved_rows():
    """Every arm has a line, and every difference to a control a cell."""
    head, *lines = table_after("### Learners beside their controls", AGENTS_PAGE)
    left = {(row["scenario"], row["agent"], row["control"]): row for row in CONTROLS["rows"]}
    scenario = None
    for line in lines:
        cells = dict(zip(head, line, strict=True))
        scenario = f"{cells['scenario']}-v0" if cells["scenario"] else scenario
        arm = cells["agent"]
        row = left.pop((scenario, arm, None))
        check(cells["reward per user"], row, "mean")
        if cells["share of the optimum"]:
            check(cells["share of the optimum"], row, "share_of_optimum")
        for heading, text in cells.items():
            if heading.startswith("minus ") and text:
                control = heading.removeprefix("minus ")
                found = [key for key in left if key[:2] == (scenario, arm) and control in key[2]]
                assert len(found) == 1, (scenario, arm, heading)
                check(text, left.pop(found[0]), "mean")
    assert not left


def test_the_table_of_strategies_under_drift_is_that_of_the_saved_rows():
    rows = lookup(DRIFT["rows"])
    head, *lines = table_after("The strategies, as the same command prints them", DEPLOYMENT_PAGE)
    assert {line[0] for line in lines} == {agent for agent, metric in rows if metric == "dynamic_regret"}
    for line in lines:
        for heading, text in zip(head[1:], line[1:], strict=True):
            check(text, rows[line[0], REGRETS[heading]])


def test_the_table_of_arms_by_phase_is_that_of_the_saved_rows():
    rows = lookup(DRIFT["rows"])
    head, *lines = table_after(
        "declared changes, with its paired difference to the first arm", DEPLOYMENT_PAGE
    )
    arms = [f"results/rates-{line[0]}" for line in lines]
    assert arms == list(DRIFT["settings"]["arms"])
    for line in lines:
        for hours, text in zip(head[1:], line[1:], strict=True):
            own, _, over = text.replace("*", "").partition(" (")
            arm, metric = f"results/rates-{line[0]}", f"reward, hours {hours}"
            check(own, rows[arm, metric])
            assert ("**" in text) == (arm == max(arms, key=lambda other: rows[other, metric]["value"]))
            if over:
                check(over.rstrip(")"), rows[arm, f"reward_over_control, hours {hours}"])
