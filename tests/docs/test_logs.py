"""The programs in docs/logs.md run and print what the text shows; its tables name what there is."""

import re

import numpy as np
import pytest

from agents import POLICIES
from recsim_env.event_log import COLUMNS, OPTIONAL_COLUMNS, SCHEMA_VERSION
from tests.docs.programs import page, programs_of, run

TEXT = page("docs/logs.md")


def test_the_programs_of_the_page_run_and_print_what_it_says(tmp_path, monkeypatch, capsys):
    first, second = programs_of(TEXT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    run([first], "logs.md")
    shown = re.search(r"It prints\n\n```\n(.*?)```", TEXT, re.DOTALL).group(1)
    printed = capsys.readouterr().out
    assert re.sub(r"[\d,]+", "#", printed) == re.sub(r"[\d,]+", "#", shown)
    pytest.importorskip("minari")
    names = run([first, second], "logs.md")
    with np.load("arrays.npz") as arrays:
        assert len(arrays["rewards"]) == len(names["log"])


def test_every_column_and_every_policy_is_named():
    named = set(re.findall(r"`([\w-]+)`", TEXT))
    assert {*COLUMNS, *OPTIONAL_COLUMNS, *POLICIES} - named == set()
    assert f"Version {SCHEMA_VERSION}." in TEXT
