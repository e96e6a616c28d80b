"""The program in docs/logs.md runs and prints what the text shows; its tables name what there is."""

import re
from pathlib import Path

from agents import POLICIES
from recsim_env.event_log import COLUMNS, OPTIONAL_COLUMNS, SCHEMA_VERSION

TEXT = (Path(__file__).parents[2] / "docs" / "logs.md").read_text(encoding="utf-8")


def test_the_program_of_the_page_prints_what_it_says(capsys):
    program = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL).group(1)
    exec(compile(program, "logs.md", "exec"), {})
    shown = re.search(r"It prints\n\n```\n(.*?)```", TEXT, re.DOTALL).group(1)
    printed = capsys.readouterr().out
    assert re.sub(r"[\d,]+", "#", printed) == re.sub(r"[\d,]+", "#", shown)


def test_every_column_and_every_policy_is_named():
    named = set(re.findall(r"`([\w-]+)`", TEXT))
    assert {*COLUMNS, *OPTIONAL_COLUMNS, *POLICIES} - named == set()
    assert f"Version {SCHEMA_VERSION}." in TEXT
